using System.Globalization;
using System.Text.Json;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>Garnet, or a Redis server if one is named or nothing else is there. Nothing is kept: it counts, caches and hints.</summary>
internal sealed class RedisRunner : ServerRunner
{
    private const int ContainerPort = 6379;

    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        await FolderAccess.EnsureWritableAsync(context.DataDirectory, ct);
        var server = await FindAsync(context.Log, ct);
        var port = context.Ports[ContainerPort].ToString(CultureInfo.InvariantCulture);
        var password = context.Environment.GetValueOrDefault("REDIS_PASSWORD");
        var isGarnet = Path.GetFileName(server).Contains("garnet", StringComparison.OrdinalIgnoreCase);
        var isAssembly = server.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        var arguments = isGarnet
            ? await GarnetArgumentsAsync(context.DataDirectory, port, password, ct)
            : await RedisArgumentsAsync(context.DataDirectory, port, password, ct);
        return new ChildProcessStart
        {
            FileName = isAssembly ? Executables.Dotnet() : server,
            Arguments = isAssembly ? ["exec", server, .. arguments] : arguments,
            WorkingDirectory = context.DataDirectory,
            Environment = MinimalEnvironment(),
            OnLine = context.Log,
        };
    }

    public override bool IsAddressInUse(IReadOnlyList<string> lastLines)
    {
        return AnyContains(lastLines, "AddressAlreadyInUse", "Address already in use");
    }

    private static async Task<string> FindAsync(Action<string, bool> log, CancellationToken ct)
    {
        if (Environment.GetEnvironmentVariable("ARIYA_REDIS_SERVER") is { Length: > 0 } named)
        {
            var path = Path.IsPathRooted(named) ? named : Executables.Find(named) ?? Path.GetFullPath(named);
            return File.Exists(path)
                ? path
                : throw new InvalidOperationException($"ARIYA_REDIS_SERVER names {named}, which does not exist.");
        }

        try
        {
            return await GarnetTool.EnsureAsync(log, ct);
        }
        catch (InvalidOperationException exception)
        {
            var onPath = Executables.Find("redis-server") ?? Executables.Find("valkey-server");
            if (onPath is null)
            {
                throw;
            }

            log($"{exception.Message}\nUsing {onPath} instead.", true);
            return onPath;
        }
    }

    private static async Task<List<string>> GarnetArgumentsAsync(string folder, string port, string? password, CancellationToken ct)
    {
        List<string> arguments = ["--port", port, "--bind", "127.0.0.1", "--lua", "true", "--memory", "64m", "--index", "1m", "-q"];
        if (password is { Length: > 0 })
        {
            var file = Path.Combine(folder, "garnet.conf");
            var settings = new Dictionary<string, string> { ["AuthenticationMode"] = "Password", ["Password"] = password };
            await SecretFile.WriteAsync(file, JsonSerializer.Serialize(settings), ct);
            arguments.AddRange(["--config-import-path", file]);
        }

        return arguments;
    }

    private static async Task<List<string>> RedisArgumentsAsync(string folder, string port, string? password, CancellationToken ct)
    {
        var file = Path.Combine(folder, "redis.conf");
        var text = $"bind 127.0.0.1\nport {port}\ndaemonize no\nsave \"\"\nappendonly no\nmaxmemory 64mb\ndir {Quote(folder)}\n";
        if (password is { Length: > 0 })
        {
            text += $"requirepass {Quote(password)}\n";
        }

        await SecretFile.WriteAsync(file, text, ct);
        return [file];

        static string Quote(string value)
        {
            return "\"" + value.Replace("\\", "\\\\", StringComparison.Ordinal).Replace("\"", "\\\"", StringComparison.Ordinal) + "\"";
        }
    }
}
