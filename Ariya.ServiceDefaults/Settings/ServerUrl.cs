using System.Globalization;
using System.Text.RegularExpressions;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>
/// The URL of a server with its user and password. It is taken apart by hand so that a password that lacks its percent-encoding is
/// recognised as such. No message carries any part of the URL that could be a piece of the password.
/// </summary>
internal sealed partial class ServerUrl
{
    private readonly string _setting;

    private ServerUrl(string setting, string value, string[] schemes)
    {
        _setting = setting;
        var text = value.Trim();
        var schemeEnd = text.IndexOf("://", StringComparison.Ordinal);
        Scheme = schemeEnd < 0 ? "" : text[..schemeEnd].ToLowerInvariant();
        if (!schemes.Contains(Scheme))
        {
            throw Invalid($"it must start with {string.Join(" or ", schemes.Select(scheme => scheme + "://"))}.");
        }

        var rest = text[(schemeEnd + 3)..];
        var authorityEnd = rest.IndexOfAny(['/', '?']);
        var authority = authorityEnd < 0 ? rest : rest[..authorityEnd];
        var tail = authorityEnd < 0 ? "" : rest[authorityEnd..];
        if (rest.Contains('#') || tail.Contains('@'))
        {
            throw NotEncoded();
        }

        var at = authority.LastIndexOf('@');
        (User, Password) = Credentials(at < 0 ? "" : authority[..at]);
        (Host, Port) = Server(authority[(at + 1)..]);

        var query = tail.IndexOf('?');
        Path = Decode((query < 0 ? tail : tail[..query]).TrimStart('/'));
        Options = query < 0 ? [] : ReadOptions(tail[(query + 1)..]);
    }

    public string Scheme { get; }
    public string User { get; }
    public string? Password { get; }
    public string Host { get; }
    public int? Port { get; }
    public string Path { get; }
    public Dictionary<string, string> Options { get; }

    public static ServerUrl Parse(string setting, string value, params string[] schemes) => new(setting, value, schemes);

    public InvalidOperationException Invalid(string problem) => new($"{_setting} cannot be used: {problem}");

    public InvalidOperationException UnknownOption(string option, string instead)
    {
        var name = OptionName().IsMatch(option) ? $"the option '{option}'" : "one of its options";
        return Invalid($"{name} is not supported; {instead}");
    }

    private (string User, string? Password) Credentials(string text)
    {
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? (Decode(text), null) : (Decode(text[..colon]), Decode(text[(colon + 1)..]));
    }

    private (string Host, int? Port) Server(string text)
    {
        var match = HostAndPort().Match(text);
        if (!match.Success)
        {
            throw NotEncoded("it needs one host name or address, and a number as port.");
        }

        var host = match.Groups["v6"].Success ? match.Groups["v6"].Value : match.Groups["host"].Value;
        if (!match.Groups["port"].Success)
        {
            return (host, null);
        }

        var port = int.Parse(match.Groups["port"].Value, CultureInfo.InvariantCulture);
        return port is > 0 and <= 65535 ? (host, port) : throw NotEncoded("the port is not between 1 and 65535.");
    }

    private Dictionary<string, string> ReadOptions(string query)
    {
        var options = new Dictionary<string, string>();
        foreach (var pair in query.Split('&', StringSplitOptions.RemoveEmptyEntries))
        {
            var equals = pair.IndexOf('=', StringComparison.Ordinal);
            var name = Decode(equals < 0 ? pair : pair[..equals]);
            if (!options.TryAdd(name, equals < 0 ? "" : Decode(pair[(equals + 1)..])))
            {
                throw Invalid("an option is given twice.");
            }
        }

        return options;
    }

    private string Decode(string text)
    {
        var decoded = BadEscape().IsMatch(text) ? throw NotEncoded() : Uri.UnescapeDataString(text);
        return decoded.Any(char.IsControl) ? throw Invalid("it holds a control character.") : decoded;
    }

    private InvalidOperationException NotEncoded(string problem = "it is not a valid URL.") =>
        Invalid(problem + " Characters such as / ? # @ : % in the user or password must be percent-encoded (@ as %40).");

    [GeneratedRegex(@"^(?:\[(?<v6>[0-9A-Fa-f:.]+)\]|(?<host>[A-Za-z0-9._-]+))(?::(?<port>[0-9]{1,9}))?$")]
    private static partial Regex HostAndPort();

    [GeneratedRegex("%(?![0-9A-Fa-f]{2})")]
    private static partial Regex BadEscape();

    [GeneratedRegex("^[A-Za-z_]{1,40}$")]
    private static partial Regex OptionName();
}
