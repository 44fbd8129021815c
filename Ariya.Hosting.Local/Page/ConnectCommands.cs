using Ariya.Hosting.Local.Orchestration;
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
        PrivateFiles.CreateFolder(folder);
        foreach (var resource in model.Resources.Where(r => r is PostgresDatabaseResource or RedisResource))
        {
            if (await ConnectionStringAsync((IResourceWithConnectionString)resource, ct) is { } text)
            {
                lines.Add(resource is RedisResource ? RedisCli(resource.Name, text, folder) : Psql(resource.Name, text, folder));
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

    private static string Psql(string name, string connectionString, string folder)
    {
        var settings = new NpgsqlConnectionStringBuilder(connectionString);
        var file = Path.Combine(folder, $"{name}.pgpass");
        var password = (settings.Password ?? "").Replace("\\", "\\\\").Replace(":", "\\:");
        PrivateFiles.Write(file, $"*:{settings.Port}:*:{settings.Username}:{password}\n");
        return $"PGPASSFILE={Quote(file)} psql -h {settings.Host} -p {settings.Port} -U {settings.Username} {settings.Database}";
    }

    private static string RedisCli(string name, string connectionString, string folder)
    {
        var parts = connectionString.Split(',');
        var colon = parts[0].LastIndexOf(':');
        var command = $"redis-cli -h {parts[0][..colon]} -p {parts[0][(colon + 1)..]}";
        if (parts.FirstOrDefault(part => part.StartsWith("password=", StringComparison.OrdinalIgnoreCase)) is not { } password)
        {
            return command;
        }

        var file = Path.Combine(folder, $"{name}.password");
        PrivateFiles.Write(file, password["password=".Length..] + "\n");
        return $"REDISCLI_AUTH=$(cat {Quote(file)}) {command}";
    }

    private static string Quote(string path)
    {
        var isPlain = path.All(c => char.IsAsciiLetterOrDigit(c) || c is '/' or '.' or '-' or '_');
        return isPlain ? path : "'" + path.Replace("'", "'\\''") + "'";
    }
}
