using System.Globalization;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>A PostgreSQL data folder: made on the first start, checked on every later one.</summary>
internal static class PostgresData
{
    public static async Task<string> PrepareAsync(PostgresPlace place, ServerContext context, CancellationToken ct)
    {
        var data = Path.Combine(place.Folder, "data");
        var versionFile = Path.Combine(data, "PG_VERSION");
        if (File.Exists(versionFile))
        {
            await CheckVersionAsync(data, versionFile, place.Binaries, ct);
            await PostgresPidFile.ClearAsync(data, ct);
            return data;
        }

        if (Directory.Exists(data) && Directory.EnumerateFileSystemEntries(data).Any())
        {
            throw new InvalidOperationException(
                $"{data} is neither empty nor a PostgreSQL data folder. Remove it to start with an empty server.");
        }

        await InitializeAsync(place, data, context, ct);
        return data;
    }

    private static async Task CheckVersionAsync(string data, string versionFile, PostgresBinaries binaries, CancellationToken ct)
    {
        var made = (await File.ReadAllTextAsync(versionFile, ct)).Trim();
        var major = await binaries.MajorVersionAsync(ct);
        if (made != major.ToString(CultureInfo.InvariantCulture))
        {
            throw new InvalidOperationException(
                $"{data} was made by PostgreSQL {made}, and {binaries.Server} is PostgreSQL {major}. Remove the folder to start empty, "
                + $"or name the folder of a PostgreSQL {made} server in ARIYA_POSTGRES_BIN.");
        }
    }

    private static async Task InitializeAsync(PostgresPlace place, string data, ServerContext context, CancellationToken ct)
    {
        foreach (var leftover in Directory.EnumerateDirectories(place.Folder, "data.tmp-*"))
        {
            Directory.Delete(leftover, recursive: true);
        }

        context.Log("Creating the PostgreSQL data folder …", false);
        var temporary = Path.Combine(place.Folder, $"data.tmp-{Guid.CreateVersion7():N}");
        var passwordFile = Path.Combine(place.Folder, $"password-{Guid.CreateVersion7():N}");
        try
        {
            PrivateFiles.Write(passwordFile, context.Environment.GetValueOrDefault("POSTGRES_PASSWORD") ?? "");
            if (place.Way == UnprivilegedWay.Nobody)
            {
                var user = UnprivilegedUser.NobodyId.ToString(CultureInfo.InvariantCulture);
                await ShortCommand.RunAsync("chown", [$"{user}:{user}", passwordFile], ct);
            }

            List<string> arguments =
            [
                "-D", temporary, "-U", context.Environment.GetValueOrDefault("POSTGRES_USER") ?? "postgres",
                "--pwfile", passwordFile, "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C.UTF-8",
                .. context.IsPersistent ? [] : (string[])["--no-sync"],
            ];
            var result = await place.RunAsync(place.Binaries.Initdb, arguments, ct);
            if (result.ExitCode != 0)
            {
                throw new InvalidOperationException($"`initdb` failed (exit code {result.ExitCode}):\n{result.LastLines(10)}");
            }

            if (Directory.Exists(data))
            {
                Directory.Delete(data);
            }

            Directory.Move(temporary, data);
        }
        catch when (Directory.Exists(temporary))
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }
        finally
        {
            File.Delete(passwordFile);
        }
    }
}
