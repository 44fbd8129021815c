using Ariya.Api.Http;
using Ariya.Data;

namespace Ariya.Api.Passwords;

internal static class PasswordRules
{
    /// <summary>Characters, not bytes (NIST SP 800-63B-4 section 3.1.1.2: 15 where the password is the only factor).</summary>
    public const int MinLength = 15;
    public const int MaxLength = 256;

    // Two seconds of work for two cores at 30 ms a hash; one network's half of it takes fifty requests at once.
    private const int MaxWaitingHashes = 128;

    public static void AddPasswords(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<PasswordHasher>();
        builder.Services.AddHostedService<PasswordStartCheck>();
        builder.Services.AddSingleton(new HashGate(Environment.ProcessorCount, MaxWaitingHashes));
    }

    /// <summary>A password to be set; length is judged before anything is hashed. No rules on what it is made of.</summary>
    public static string NewPassword(this FieldErrors errors, string field, string? value)
    {
        var password = errors.PresentedPassword(field, value);
        if (!errors.ByField.ContainsKey(field) && password.EnumerateRunes().Count() < MinLength)
        {
            errors.Add(field, $"Use at least {MinLength} characters. A sentence is fine.");
        }

        return password;
    }

    /// <summary>A password to be compared: anything that could be one.</summary>
    public static string PresentedPassword(this FieldErrors errors, string field, string? value)
    {
        var password = errors.Required(field, value);
        // Length in UTF-16 first: normalising a megabyte costs too.
        if (password.Length > MaxLength * 2 || !password.IsNormalizable(out var normalized)
            || normalized.EnumerateRunes().Count() > MaxLength)
        {
            errors.Add(field, $"Use at most {MaxLength} characters.");
            return "";
        }

        return normalized;
    }
}
