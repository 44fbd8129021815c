using System.Collections.Concurrent;
using System.Globalization;
using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Ariya.Tests.Distributed;
using StackExchange.Redis;

namespace Ariya.Tests.Degraded;

/// <summary>A server that speaks Redis's protocol, to be killed, paused, filled and misled by a test.</summary>
internal sealed class RedisServer : IAsyncDisposable
{
    public const string Garnet = "Garnet";
    public const string Redis = "Redis";

    private static readonly ChildProcesses s_children = new();

    // SIGSTOP and SIGCONT, which macOS numbers otherwise.
    private static readonly StopSignal s_stop = (StopSignal)(OperatingSystem.IsMacOS() ? 17 : 19);
    private static readonly StopSignal s_continue = (StopSignal)(OperatingSystem.IsMacOS() ? 19 : 18);

    private readonly string _kind;
    private readonly string _folder;
    private readonly ConcurrentQueue<string> _lines = [];
    private ChildProcess? _process;

    private RedisServer(string kind, int port, string folder)
    {
        _kind = kind;
        Port = port;
        _folder = folder;
    }

    /// <summary>Garnet, which the tests bring, and Redis itself where it is installed.</summary>
    public static TheoryData<string> Kinds => RedisPath is null ? [Garnet] : [Garnet, Redis];

    public static string? RedisPath { get; } =
        Environment.GetEnvironmentVariable("ARIYA_REDIS_SERVER") is { Length: > 0 } named ? named : Executables.Find("redis-server");

    public int Port { get; }

    /// <summary>What the tests' own commands sign in with.</summary>
    public string? Password { get; set; }

    public string ConnectionString => $"127.0.0.1:{Port}";

    public static async Task<RedisServer> StartAsync(string kind)
    {
        for (var attempt = 0; ; attempt++)
        {
            var server = new RedisServer(kind, Ports.Pick(), Directory.CreateTempSubdirectory("ariya-redis").FullName);
            try
            {
                await server.StartAsync();
                return server;
            }
            catch (TimeoutException) when (attempt < 2)
            {
                // Somebody took the port.
                await server.DisposeAsync();
            }
        }
    }

    /// <summary>Starts it, also again after its end, on the same port and with nothing in it.</summary>
    public async Task StartAsync()
    {
        var port = Port.ToString(CultureInfo.InvariantCulture);
        _process = await s_children.StartAsync(
            new ChildProcessStart
            {
                FileName = _kind == Garnet ? Executables.Dotnet : RedisPath!,
                Arguments = _kind == Garnet
                    ? ["exec", await GarnetTool.EnsureAsync((_, _) => { }, CancellationToken.None),
                       "--port", port, "--bind", "127.0.0.1", "--lua", "true", "--lua-transaction-mode", "true", "--memory", "64m", "--index", "1m", "-q"]
                    : ["--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no", "--dir", _folder],
                WorkingDirectory = _folder,
                Environment = new Dictionary<string, string>
                {
                    ["PATH"] = Environment.GetEnvironmentVariable("PATH") ?? "/usr/bin:/bin",
                    ["HOME"] = _folder,
                    ["DOTNET_gcServer"] = "0",
                },
                OnLine = (line, _) => _lines.Enqueue(line),
            }, CancellationToken.None);
        try
        {
            await Wait.UntilAsync($"{_kind} on port {Port}", TimeSpan.FromSeconds(20), async () =>
            {
                try
                {
                    return (string?)await CommandAsync("PING");
                }
                catch (RedisException)
                {
                    return null;
                }
            });
        }
        catch (TimeoutException exception)
        {
            throw new TimeoutException($"{exception.Message}\n{string.Join('\n', _lines)}", exception);
        }
    }

    public async Task KillAsync()
    {
        Posix.SignalGroup(_process!.Id, StopSignal.Kill);
        await _process.Exited;
    }

    /// <summary>Takes connections and bytes, and answers nothing.</summary>
    public void Pause()
    {
        Assert.True(Posix.SignalGroup(_process!.Id, s_stop));
        // The last of its threads stops a moment later.
        var threads = $"/proc/{_process.Id}/task";
        Assert.True(!Directory.Exists(threads) || SpinWait.SpinUntil(
            () => Directory.EnumerateDirectories(threads).All(thread => File.ReadAllText($"{thread}/stat").Contains(") T ", StringComparison.Ordinal)),
            TimeSpan.FromSeconds(5)));
    }

    public void GoOn() => Assert.True(Posix.SignalGroup(_process!.Id, s_continue));

    /// <summary>Over a connection of its own.</summary>
    public async Task<RedisResult> CommandAsync(string command, params object[] arguments)
    {
        var options = ConfigurationOptions.Parse(ConnectionString);
        options.AllowAdmin = true;
        options.Password = Password;
        options.ConnectTimeout = 1000;
        options.ConnectRetry = 1;
        await using var connection = await ConnectionMultiplexer.ConnectAsync(options);
        return await connection.GetDatabase().ExecuteAsync(command, arguments);
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is { Exited.IsCompleted: false })
        {
            await KillAsync();
        }

        Directory.Delete(_folder, recursive: true);
    }
}

/// <summary>For faults that only Redis itself can be put into.</summary>
public sealed class RedisFactAttribute : FactAttribute
{
    public RedisFactAttribute()
    {
        if (RedisServer.RedisPath is null)
        {
            Skip = "There is no redis-server on the PATH.";
        }
    }
}
