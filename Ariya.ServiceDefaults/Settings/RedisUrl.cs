using System.Globalization;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>REDIS_URL (redis://, rediss://) to a connection string of StackExchange.Redis, which does not read such URLs itself.</summary>
internal static class RedisUrl
{
    private const string Setting = "REDIS_URL";

    public static string ToConnectionString(string value)
    {
        var url = ServerUrl.Parse(Setting, value, "redis", "rediss");
        foreach (var option in url.Options.Keys)
        {
            throw url.UnknownOption(option, "set ConnectionStrings__cache to use options of the client.");
        }

        if (url.Host.Contains(':'))
        {
            throw url.Invalid("the client does not read IPv6 addresses; use a host name.");
        }

        var parts = new List<string> { $"{url.Host}:{url.Port ?? 6379}" };
        if (url.User is not ("" or "default"))
        {
            parts.Add("user=" + Plain(url, url.User));
        }

        if (url.Password is { Length: > 0 } password)
        {
            parts.Add("password=" + Plain(url, password));
        }

        if (url.Scheme == "rediss")
        {
            parts.Add("ssl=true");
        }

        if (url.Path.Length > 0)
        {
            parts.Add("defaultDatabase=" + DatabaseNumber(url));
        }

        return string.Join(',', parts);
    }

    // A connection string of the client is a list with commas and has no quoting.
    private static string Plain(ServerUrl url, string secret) =>
        secret.Contains(',') || secret != secret.Trim()
            ? throw url.Invalid("a comma, or a space at the beginning or end, cannot stand in the user or password of Redis.")
            : secret;

    private static string DatabaseNumber(ServerUrl url) =>
        int.TryParse(url.Path, NumberStyles.None, CultureInfo.InvariantCulture, out var number)
            ? number.ToString(CultureInfo.InvariantCulture)
            : throw url.Invalid("what follows the host must be the number of a database.");
}
