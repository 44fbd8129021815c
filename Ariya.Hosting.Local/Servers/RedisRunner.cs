using System.Globalization;
using System.Text.Json;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>Garnet, or a Redis server if one is named or nothing else is there. Nothing is kept: it counts, caches and hints.</summary>
internal sealed class RedisRunner : ServerRunner
{
    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        await FolderAccess.EnsureWritableAsync(context.DataDirectory, ct);
        var server = Named() ?? await InstalledOrOnPathAsync(
            () => GarnetTool.EnsureAsync(context.Log, ct), path => path, context.Log, "redis-server", "valkey-server");
        var port = context.Ports[6379].ToString(CultureInfo.InvariantCulture);
        var password = context.Environment.GetValueOrDefault("REDIS_PASSWORD");
        var isGarnet = Path.GetFileName(server).Contains("garnet", StringComparison.OrdinalIgnoreCase);
        var isAssembly = server.EndsWith(".dll", StringComparison.OrdinalIgnoreCase);
        var arguments = isGarnet
            ? GarnetArguments(context.DataDirectory, port, password)
            : RedisArguments(context.DataDirectory, port, password);
        return new ChildProcessStart
        {
            FileName = isAssembly ? Executables.Dotnet : server,
            Arguments = isAssembly ? ["exec", server, .. arguments] : arguments,
            WorkingDirectory = context.DataDirectory,
            Environment = MinimalEnvironment(),
            OnLine = context.OnLine,
        };
    }

    private static string? Named()
    {
        if (Environment.GetEnvironmentVariable("ARIYA_REDIS_SERVER") is not { Length: > 0 } named)
        {
            return null;
        }

        var path = Path.IsPathRooted(named) ? named : Executables.Find(named) ?? Path.GetFullPath(named);
        return File.Exists(path) ? path : throw new InvalidOperationException($"ARIYA_REDIS_SERVER names {named}, which does not exist.");
    }

    private static List<string> GarnetArguments(string folder, string port, string? password)
    {
        List<string> arguments = ["--port", port, "--bind", "127.0.0.1", "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--index", "1m", "-q"];
        if (password is { Length: > 0 })
        {
            var file = Path.Combine(folder, "garnet.conf");
            var settings = new Dictionary<string, string> { ["AuthenticationMode"] = "Password", ["Password"] = password };
            PrivateFiles.Write(file, JsonSerializer.Serialize(settings));
            arguments.AddRange(["--config-import-path", file]);
        }

        return arguments;
    }

    private static List<string> RedisArguments(string folder, string port, string? password)
    {
        var file = Path.Combine(folder, "redis.conf");
        var text = $"bind 127.0.0.1\nport {port}\ndaemonize no\nsave \"\"\nappendonly no\nmaxmemory 64mb\ndir {Quote(folder)}\n";
        PrivateFiles.Write(file, password is { Length: > 0 } ? text + $"requirepass {Quote(password)}\n" : text);
        return [file];
    }

    private static string Quote(string value) => "\"" + value.Replace("\\", "\\\\").Replace("\"", "\\\"") + "\"";
}
