using System.Globalization;
using System.Text;
using Ariya.Data;
using Ariya.Data.Accounts;

namespace Ariya.Api.Http;

/// <summary>Reads the fields of a request and collects, by field, what is wrong with them.</summary>
internal sealed class FieldErrors
{
    private const int MaxNameCodePoints = 64;
    private readonly Dictionary<string, string[]> _errors = [];

    public bool Any => _errors.Count > 0;

    public IReadOnlyDictionary<string, string[]> ByField => _errors;

    public void Add(string field, string message) => _errors[field] = [message];

    /// <summary>The field as it came; a missing or empty one is an error.</summary>
    public string Required(string field, string? value)
    {
        if (string.IsNullOrEmpty(value))
        {
            Add(field, "This field is required.");
        }

        return value ?? "";
    }

    /// <summary>A mail address; null after an error.</summary>
    public EmailAddress? Email(string field, string? value)
    {
        if (!EmailAddress.TryParse(value, out var email) && Required(field, value).Length > 0)
        {
            Add(field, "This is not an e-mail address we can send to.");
        }

        return email;
    }

    /// <summary>A name for people: trimmed, NFC, 1 to 64 characters, none of which hide or reorder others.</summary>
    public string Name(string field, string? value)
    {
        var name = Required(field, value).Trim();
        if (_errors.ContainsKey(field))
        {
            return "";
        }

        // Length first: normalising 64 KB of marks takes longer than a password hash.
        if (name.Length > MaxNameCodePoints * 4 || !name.IsNormalizable(out var normalized))
        {
            Add(field, $"Use 1 to {MaxNameCodePoints} characters.");
            return "";
        }

        var length = normalized.EnumerateRunes().Count();
        if (length is 0 or > MaxNameCodePoints)
        {
            Add(field, $"Use 1 to {MaxNameCodePoints} characters.");
        }
        else if (normalized.EnumerateRunes().Any(IsHidden))
        {
            Add(field, "Control, direction and other invisible characters are not allowed.");
        }

        return normalized;
    }

    // Line breaks would end a mail header, direction marks turn a sentence round. Joiners are part of scripts and emoji.
    private static bool IsHidden(Rune rune) => Rune.GetUnicodeCategory(rune) switch
    {
        UnicodeCategory.Control or UnicodeCategory.LineSeparator or UnicodeCategory.ParagraphSeparator
            or UnicodeCategory.PrivateUse or UnicodeCategory.Surrogate or UnicodeCategory.OtherNotAssigned => true,
        UnicodeCategory.Format => rune.Value is not (0x200C or 0x200D),
        _ => false,
    };
}
