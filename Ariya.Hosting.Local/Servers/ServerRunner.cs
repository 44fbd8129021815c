using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>What a container would have been given, for a server that runs as a process instead.</summary>
internal sealed record ServerContext
{
    public required IReadOnlyDictionary<string, string> Environment { get; init; }
    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The port inside the container (5432, 6379, …) and the port on 127.0.0.1 that takes its place.</summary>
    public required IReadOnlyDictionary<int, int> Ports { get; init; }

    public required string DataDirectory { get; init; }

    /// <summary>False for data that nobody reads after this run: durability is traded for speed.</summary>
    public required bool IsPersistent { get; init; }

    /// <summary>What is being done to prepare the server; true for bad news.</summary>
    public required Action<string, bool> Log { get; init; }

    /// <summary>The console of the server; true for standard error.</summary>
    public required Action<string, bool> OnLine { get; init; }
}

/// <summary>Runs the server of one container image as a local process.</summary>
internal abstract class ServerRunner
{
    private static readonly Dictionary<string, ServerRunner> s_runners = new(StringComparer.Ordinal)
    {
        ["postgres"] = new PostgresRunner(),
        ["redis"] = new RedisRunner(),
        ["maildev/maildev"] = new MailDevRunner(),
    };

    private static readonly string[] s_addressInUse = ["Address already in use", "AddressAlreadyInUse", "EADDRINUSE"];

    /// <summary>Null for an image that cannot run without a container engine.</summary>
    public static ServerRunner? Find(string image) => s_runners.GetValueOrDefault(Repository(image));

    /// <summary>Finds or installs the server, prepares its data, and says how to start it.</summary>
    public abstract Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct);

    /// <summary>Whether a program ended because one of its ports was taken. Exit codes do not tell: Garnet's is 0.</summary>
    public static bool IsAddressInUse(IReadOnlyList<string> lastLines) => lastLines.Any(line => s_addressInUse.Any(
        phrase => line.Contains(phrase, StringComparison.OrdinalIgnoreCase)));

    /// <summary>What a server needs of this process's environment, and nothing that names another database or relay.</summary>
    protected static Dictionary<string, string> MinimalEnvironment()
    {
        string[] names = ["PATH", "HOME", "USER", "TMPDIR", "TZ", "DOTNET_ROOT", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"];
        var environment = new Dictionary<string, string> { ["LANG"] = "C.UTF-8" };
        foreach (var name in names)
        {
            if (Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                environment[name] = value;
            }
        }

        return environment;
    }

    /// <summary>What is on PATH takes the place of a server that cannot be installed.</summary>
    protected static async Task<T> InstalledOrOnPathAsync<T>(
        Func<Task<T>> install, Func<string, T> onPath, Action<string, bool> log, params string[] names) where T : notnull
    {
        try
        {
            return await install();
        }
        catch (InvalidOperationException exception) when (names.Select(Executables.Find).FirstOrDefault(p => p is not null) is { } path)
        {
            log($"{exception.Message}\nUsing {path} instead.", true);
            return onPath(path);
        }
    }

    /// <summary>`docker.io/library/postgres:18.3@sha256:…` is `postgres`.</summary>
    private static string Repository(string image)
    {
        var segments = image.Split('@')[0].Split('/').ToList();
        segments[^1] = segments[^1].Split(':')[0];
        // The first of several segments is a registry when it could be a host name.
        if (segments.Count > 1 && (segments[0].Contains('.') || segments[0].Contains(':') || segments[0] == "localhost"))
        {
            segments.RemoveAt(0);
        }

        if (segments is ["library", _])
        {
            segments.RemoveAt(0);
        }

        return string.Join('/', segments);
    }
}
