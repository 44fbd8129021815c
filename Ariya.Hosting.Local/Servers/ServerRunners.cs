namespace Ariya.Hosting.Local.Servers;

/// <summary>Which images can run without a container engine.</summary>
internal static class ServerRunners
{
    private static readonly Dictionary<string, ServerRunner> s_runners = new(StringComparer.Ordinal)
    {
        ["postgres"] = new PostgresRunner(),
        ["redis"] = new RedisRunner(),
        ["maildev/maildev"] = new MailDevRunner(),
    };

    public static ServerRunner? Find(string image)
    {
        return s_runners.GetValueOrDefault(Repository(image));
    }

    /// <summary>`docker.io/library/postgres:18.3@sha256:…` is `postgres`.</summary>
    private static string Repository(string image)
    {
        var name = image.Split('@')[0];
        var slash = name.LastIndexOf('/');
        var colon = name.IndexOf(':', slash + 1);
        if (colon >= 0)
        {
            name = name[..colon];
        }

        var segments = name.Split('/').ToList();
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
