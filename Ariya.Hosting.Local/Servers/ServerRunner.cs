using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>Runs the server of one container image as a local process.</summary>
internal abstract class ServerRunner
{
    /// <summary>Finds or installs the server, prepares its data, and says how to start it.</summary>
    public abstract Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct);

    /// <summary>Whether the server ended because one of its ports was taken. Exit codes do not tell: Garnet's is 0.</summary>
    public abstract bool IsAddressInUse(IReadOnlyList<string> lastLines);

    protected static bool AnyContains(IReadOnlyList<string> lines, params string[] phrases)
    {
        return lines.Any(line => phrases.Any(phrase => line.Contains(phrase, StringComparison.OrdinalIgnoreCase)));
    }

    /// <summary>What a server needs of this process's environment, and nothing that names another database or relay.</summary>
    protected static Dictionary<string, string> MinimalEnvironment()
    {
        string[] names = ["PATH", "HOME", "USER", "TMPDIR", "TZ", "DOTNET_ROOT", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT"];
        var environment = new Dictionary<string, string> { ["LANG"] = "C.UTF-8" };
        foreach (var name in names)
        {
            if (System.Environment.GetEnvironmentVariable(name) is { Length: > 0 } value)
            {
                environment[name] = value;
            }
        }

        return environment;
    }
}
