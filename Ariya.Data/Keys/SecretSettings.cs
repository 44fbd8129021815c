using Microsoft.Extensions.Configuration;

namespace Ariya.Data.Keys;

/// <summary>Reads JWT_SECRET and JWT_REFRESH_SECRET and says, by name, everything that is wrong with them.</summary>
public static class SecretSettings
{
    public const string JwtSecret = "JWT_SECRET";
    public const string JwtRefreshSecret = "JWT_REFRESH_SECRET";

    private static readonly string[] s_names = [JwtSecret, $"{JwtSecret}_PREVIOUS", JwtRefreshSecret, $"{JwtRefreshSecret}_PREVIOUS"];

    private const int MinimumLength = 32;
    private const int MinimumDistinctCharacters = 16;

    // Printed in documentation, so known to everybody.
    private static readonly string[] s_examples =
    [
        "your-super-secret-jwt-key-at-least-32-characters-long",
        "your-super-secret-jwt-refresh-key-at-least-32-characters-long",
        "your-super-secret-nextauth-key-at-least-32-characters-long",
    ];

    /// <summary>The keys of one secret; <c>{name}_PREVIOUS</c> may hold the one before it while a change rolls out.</summary>
    /// <param name="configuration">Settings of the process.</param>
    /// <param name="name"><see cref="JwtSecret"/> or <see cref="JwtRefreshSecret"/>.</param>
    /// <exception cref="InvalidOperationException">The message lists every fault and never the value.</exception>
    public static SecretKeys Read(IConfiguration configuration, string name)
    {
        var faults = new List<string>();
        var current = configuration[name];
        Check(name, current, faults);
        var previous = configuration[$"{name}_PREVIOUS"];
        if (!string.IsNullOrEmpty(previous))
        {
            Check($"{name}_PREVIOUS", previous, faults);
        }

        foreach (var (index, first) in s_names.Index())
        {
            faults.AddRange(
                from second in s_names[(index + 1)..]
                where !string.IsNullOrEmpty(configuration[first]) && configuration[first] == configuration[second]
                select $"{first} and {second} are equal; each needs its own value.");
        }

        return faults.Count == 0
            ? new SecretKeys(string.IsNullOrEmpty(previous) ? [current!] : [current!, previous])
            : throw new InvalidOperationException(string.Join(Environment.NewLine, faults));
    }

    private static void Check(string name, string? value, List<string> faults)
    {
        if (string.IsNullOrWhiteSpace(value))
        {
            faults.Add($"{name} is not set. Make one with: openssl rand -base64 48");
        }
        else if (s_examples.Contains(value.Trim(), StringComparer.OrdinalIgnoreCase))
        {
            faults.Add($"{name} is an example from the documentation. Make one with: openssl rand -base64 48");
        }
        else if (value.Length < MinimumLength || value.Distinct().Count() < MinimumDistinctCharacters)
        {
            faults.Add($"{name} is too weak: at least {MinimumLength} characters, {MinimumDistinctCharacters} of them different.");
        }
    }
}
