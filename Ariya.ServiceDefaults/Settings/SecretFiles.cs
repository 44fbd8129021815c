using Microsoft.Extensions.Configuration;

namespace Ariya.ServiceDefaults.Settings;

/// <summary>A secret may stand in a file that NAME_FILE names, as container platforms mount them.</summary>
internal static class SecretFiles
{
    public const string Suffix = "_FILE";

    public static Dictionary<string, string?> Read(IConfiguration configuration, IEnumerable<string> names)
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
                throw new InvalidOperationException($"{name} and {name}{Suffix} are both set; set one of them.");
            }

            values[name] = ReadFile(name, path);
        }

        return values;
    }

    private static string ReadFile(string name, string path)
    {
        string text;
        try
        {
            text = File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InvalidOperationException($"{name}{Suffix} names a file that cannot be read: {e.Message}", e);
        }

        // Editors and `echo` end a file with a line break that is not part of the secret.
        var value = text.TrimEnd('\r', '\n');
        return value.Length > 0 ? value : throw new InvalidOperationException($"{name}{Suffix} names an empty file: {path}");
    }
}
