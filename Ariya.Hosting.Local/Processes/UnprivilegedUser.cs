namespace Ariya.Hosting.Local.Processes;

/// <summary>How a server that refuses to run as root is run by root. Found out once per process.</summary>
internal enum UnprivilegedWay
{
    /// <summary>The host is not root: nothing to do.</summary>
    Direct,

    /// <summary>A user namespace: inside, the server is nobody; outside, its files stay root's, also below a 0700 folder.</summary>
    UserNamespace,

    /// <summary>The user nobody, where namespaces are forbidden (as in most containers): files and folders must be open to it.</summary>
    Nobody,
}

internal static class UnprivilegedUser
{
    /// <summary>User and group `nobody` where the kernel, Debian and Fedora agree on it; the names differ, the number does not.</summary>
    public const int NobodyId = 65534;

    private static readonly Lazy<Task<UnprivilegedWay>> s_way = new(FindWayAsync);

    public static Task<UnprivilegedWay> WayAsync() => s_way.Value;

    public static IReadOnlyList<string> Prefix(UnprivilegedWay way) => way switch
    {
        UnprivilegedWay.UserNamespace => ["unshare", "--user", $"--map-user={NobodyId}", $"--map-group={NobodyId}"],
        UnprivilegedWay.Nobody =>
        [
            Executables.Find("setpriv") ?? throw new FileNotFoundException(
                "PostgreSQL does not run as root, and the command `setpriv` (util-linux), which would run it as another user, is not on"
                + " PATH. Install util-linux or run as an ordinary user."),
            $"--reuid={NobodyId}", $"--regid={NobodyId}", "--clear-groups",
        ],
        _ => [],
    };

    private static async Task<UnprivilegedWay> FindWayAsync()
    {
        if (Posix.EffectiveUserId != 0)
        {
            return UnprivilegedWay.Direct;
        }

        if (Executables.Find("unshare") is null)
        {
            return UnprivilegedWay.Nobody;
        }

        var prefix = Prefix(UnprivilegedWay.UserNamespace);
        var probe = await ShortCommand.RunAsync(prefix[0], [.. prefix.Skip(1), "true"], CancellationToken.None);
        return probe.ExitCode == 0 ? UnprivilegedWay.UserNamespace : UnprivilegedWay.Nobody;
    }
}
