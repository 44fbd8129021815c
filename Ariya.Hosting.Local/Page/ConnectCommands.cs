using Ariya.Hosting.Local.Servers;
using Aspire.Hosting.ApplicationModel;
using Npgsql;

namespace Ariya.Hosting.Local.Page;

/// <summary>
/// Lines to copy into a shell: `psql` and `redis-cli`, with the password in a file that only its owner reads, so that it shows
/// neither on the screen nor in the process list.
/// </summary>
internal static class ConnectCommands
{
    public static async Task<IReadOnlyList<string>> WriteAsync(DistributedApplicationModel model, string folder, CancellationToken ct)
    {
        var lines = new List<string>();
        Directory.CreateDirectory(folder);
        foreach (var database in model.Resources.OfType<PostgresDatabaseResource>())
        {
            if (await ConnectionStringAsync(database, ct) is { } text)
            {
                lines.Add(await PsqlAsync(database.Name, text, folder, ct));
            }
        }

        foreach (var redis in model.Resources.OfType<RedisResource>())
        {
            if (await ConnectionStringAsync(redis, ct) is { } text)
            {
                lines.Add(await RedisCliAsync(redis.Name, text, folder, ct));
            }
        }

        return lines;
    }

    private static async Task<string?> ConnectionStringAsync(IResourceWithConnectionString resource, CancellationToken ct)
    {
        try
        {
            return await resource.GetConnectionStringAsync(ct);
        }
        catch (InvalidOperationException)
        {
            // Its server was never started, so it has no port.
            return null;
        }
    }

    private static async Task<string> PsqlAsync(string name, string connectionString, string folder, CancellationToken ct)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var file = Path.Combine(folder, $"{name}.pgpass");
        var password = (settings.Password ?? "")
            .Replace("\\", "\\\\", StringComparison.Ordinal)
            .Replace(":", "\\:", StringComparison.Ordinal);
        await SecretFile.WriteAsync(file, $"*:{settings.Port}:*:{settings.Username}:{password}\n", ct);
        return $"PGPASSFILE={Quote(file)} psql -h {settings.Host} -p {settings.Port} -U {settings.Username} {settings.Database}";
    }

    private static async Task<string> RedisCliAsync(string name, string connectionString, string folder, CancellationToken ct)
    {
        var parts = connectionString.Split(',');
        var colon = parts[0].LastIndexOf(':');
        var command = $"redis-cli -h {parts[0][..colon]} -p {parts[0][(colon + 1)..]}";
        if (parts.FirstOrDefault(part => part.StartsWith("password=", StringComparison.OrdinalIgnoreCase)) is not { } password)
        {
            return command;
        }

        var file = Path.Combine(folder, $"{name}.password");
        await SecretFile.WriteAsync(file, password["password=".Length..] + "\n", ct);
        return $"REDISCLI_AUTH=$(cat {Quote(file)}) {command}";
    }

    private static string Quote(string path)
    {
        var isPlain = path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '-' or '_');
        return isPlain ? path : "'" + path.Replace("'", "'\\''", StringComparison.Ordinal) + "'";
    }
}
