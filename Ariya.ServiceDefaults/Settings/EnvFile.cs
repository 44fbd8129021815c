using System.Text;
using System.Text.RegularExpressions;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>
/// The .env file beside the solution: KEY=VALUE lines, `#` comments, an optional `export`, values in single quotes (as they are)
/// or double quotes (with \n, \r, \t, \" and \\).
/// </summary>
internal static partial class EnvFile
{
    public static string? Find(string folder)
    {
        for (var directory = new DirectoryInfo(folder); directory is not null; directory = directory.Parent)
        {
            if (File.Exists(Path.Combine(directory.FullName, "Ariya.sln")))
            {
                var path = Path.Combine(directory.FullName, ".env");
                return File.Exists(path) ? path : null;
            }
        }

        return null;
    }

    public static Dictionary<string, string?> Parse(IEnumerable<string> lines)
    {
        var values = new Dictionary<string, string?>();
        var number = 0;
        foreach (var line in lines)
        {
            number++;
            var text = line.Trim();
            if (text.Length == 0 || text[0] == '#')
            {
                continue;
            }

            var match = Assignment().Match(text);
            if (!match.Success)
            {
                throw Invalid(number, "is not KEY=VALUE");
            }

            values[match.Groups["key"].Value] = Value(match.Groups["value"].Value, number);
        }

        return values;
    }

    private static string Value(string text, int line)
    {
        if (text.Length == 0 || text[0] is not ('"' or '\''))
        {
            // A `#` inside a value belongs to it; one after a space starts a comment.
            return text.StartsWith('#') ? "" : Comment().Replace(text, "");
        }

        var value = new StringBuilder();
        var quote = text[0];
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == quote)
            {
                var rest = text[(i + 1)..].TrimStart();
                return rest.Length == 0 || rest[0] == '#' ? value.ToString() : throw Invalid(line, "has text after the closing quote");
            }

            if (quote == '"' && text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
                value.Append(Unescape(text[i]));
            }
            else
            {
                value.Append(text[i]);
            }
        }

        throw Invalid(line, "has no closing quote");
    }

    private static string Unescape(char escaped) => escaped switch
    {
        'n' => "\n",
        'r' => "\r",
        't' => "\t",
        '"' or '\\' => escaped.ToString(),
        _ => "\\" + escaped,
    };

    // The text of the line may be a secret, so only its number is told.
    private static InvalidOperationException Invalid(int line, string problem) => new($".env: line {line} {problem}.");

    [GeneratedRegex(@"^(?:export\s+)?(?<key>[A-Za-z_][A-Za-z0-9_.:-]*)\s*=\s*(?<value>.*)$")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"\s+#.*$")]
    private static partial Regex Comment();
}
