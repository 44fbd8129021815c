using Microsoft.Extensions.Configuration;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>A secret may stand in a file that NAME_FILE names, as container platforms mount them.</summary>
internal static class SecretFiles
{
    public const string Suffix = "_FILE";

    /// <param name="configuration">Has the names of the files.</param>
    /// <param name="names">Of the secrets.</param>
    /// <param name="wrong">Told of each file that cannot be used.</param>
    public static Dictionary<string, string?> Read(IConfiguration configuration, IEnumerable<string> names, Action<string> wrong)
    {
        var values = new Dictionary<string, string?>();
        foreach (var name in names)
        {
            if (configuration[name + Suffix] is not { Length: > 0 } path)
            {
                continue;
            }

            if (!string.IsNullOrEmpty(configuration[name]))
            {
                wrong($"{name} and {name}{Suffix} are both set; set one of them.");
            }
            else if (ReadFile(path, out var problem) is { Length: > 0 } value)
            {
                values[name] = value;
            }
            else
            {
                wrong($"{name}{Suffix} names {problem}.");
            }
        }

        return values;
    }

    // Not told which file: somebody may have put the secret itself there.
    private static string ReadFile(string path, out string problem)
    {
        problem = "an empty file";
        try
        {
            // Editors and `echo` end a file with a line break that is not part of the secret.
            return File.ReadAllText(path).TrimEnd('\r', '\n');
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or ArgumentException)
        {
            problem = exception is FileNotFoundException or DirectoryNotFoundException ? "a file that is not there"
                : exception is UnauthorizedAccessException ? "a file that this process may not read"
                : "a file that cannot be read";
            return "";
        }
    }
}
