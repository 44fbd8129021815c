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

    /// <param name="lines">Of the file.</param>
    /// <param name="wrong">Told of each line that is not one.</param>
    public static Dictionary<string, string?> Parse(IEnumerable<string> lines, Action<string> wrong)
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
                wrong(Fault(number, "is not KEY=VALUE"));
                continue;
            }

            if (!TryValue(match.Groups["value"].Value, out var value, out var problem))
            {
                wrong(Fault(number, problem));
                continue;
            }

            values[match.Groups["key"].Value] = value;
        }

        return values;
    }

    private static bool TryValue(string text, out string value, out string problem)
    {
        problem = "";
        if (text.Length == 0 || text[0] is not ('"' or '\''))
        {
            // A `#` inside a value belongs to it; one after a space starts a comment.
            value = text.StartsWith('#') ? "" : Comment().Replace(text, "");
            return true;
        }

        var unquoted = new StringBuilder();
        var quote = text[0];
        for (var i = 1; i < text.Length; i++)
        {
            if (text[i] == quote)
            {
                var rest = text[(i + 1)..].TrimStart();
                value = unquoted.ToString();
                problem = "has text after the closing quote";
                return rest.Length == 0 || rest[0] == '#';
            }

            if (quote == '"' && text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
                unquoted.Append(Unescape(text[i]));
            }
            else
            {
                unquoted.Append(text[i]);
            }
        }

        value = "";
        problem = "has no closing quote";
        return false;
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
    private static string Fault(int line, string problem) => $".env: line {line} {problem}.";

    [GeneratedRegex(@"^(?:export\s+)?(?<key>[A-Za-z_][A-Za-z0-9_.:-]*)\s*=\s*(?<value>.*)$")]
    private static partial Regex Assignment();

    [GeneratedRegex(@"\s+#.*$")]
    private static partial Regex Comment();
}
