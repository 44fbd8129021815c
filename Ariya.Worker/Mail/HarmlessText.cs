using System.Text;

namespace Ariya.Worker.Mail;

/// <summary>
/// Words that somebody else may have typed, in a mail to a mailbox that may be a stranger's: mail programs must find nothing in them to
/// turn into a link, or the product would carry anybody's advertisement.
/// </summary>
internal static class HarmlessText
{
    // What a program calls itself is free text; only these words are ever repeated.
    private static readonly (string Sign, string Name)[] s_programs =
    [
        ("Edg/", "Edge"), ("OPR/", "Opera"), ("SamsungBrowser/", "Samsung Internet"), ("Firefox/", "Firefox"), ("FxiOS/", "Firefox"),
        ("CriOS/", "Chrome"), ("Chrome/", "Chrome"), ("Safari/", "Safari"), ("okhttp/", "an app"), ("Dart/", "an app"), ("CFNetwork/", "an app"),
        ("curl/", "curl"),
    ];

    private static readonly (string Sign, string Name)[] s_systems =
    [
        ("Windows", "Windows"), ("Android", "Android"), ("iPhone", "iPhone"), ("iPad", "iPad"), ("Mac OS X", "macOS"), ("CrOS", "ChromeOS"), ("Linux", "Linux"),
    ];

    /// <summary>
    /// A name without what makes a link or an address: dots inside words, slashes in pairs, backslashes, colons, at signs, <c>www</c>.
    /// </summary>
    public static string OfName(string typed)
    {
        var kept = new StringBuilder(typed.Length);
        foreach (var (index, letter) in typed.Index())
        {
            var next = index + 1 < typed.Length ? typed[index + 1] : ' ';
            var isLinkPart = letter is '\\' or ':' or '@' or '\uFF20' or '\uFF1A' or '\uFF0F' or '\u2044' or '\u2215'
                || (IsDot(letter) && !char.IsWhiteSpace(next)) || (letter == '/' && (next == '/' || index > 0 && typed[index - 1] == '/'));
            if (!isLinkPart)
            {
                kept.Append(letter);
            }
        }

        return kept.ToString().Replace("www", "", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>Program and system, from a fixed list: <c>Firefox on Linux</c>.</summary>
    public static string OfUserAgent(string userAgent)
    {
        var program = s_programs.FirstOrDefault(known => userAgent.Contains(known.Sign, StringComparison.Ordinal)).Name ?? "an unknown program";
        var system = s_systems.FirstOrDefault(known => userAgent.Contains(known.Sign, StringComparison.Ordinal)).Name;
        return system is null ? program : $"{program} on {system}";
    }

    private static bool IsDot(char letter) => letter is '.' or '\u3002' or '\uFF0E' or '\uFF61' or '\u2024' or '\u00B7';
}
