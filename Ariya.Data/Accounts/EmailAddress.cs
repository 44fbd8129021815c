using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Text;

namespace Ariya.Data.Accounts;

/// <summary>
/// A mail address as typed and in its canonical form. This is the one place that decides which spellings are the same
/// address: Unicode NFC, invariant lower case, domain in punycode; dots and plus tags mean what they say.
/// </summary>
public sealed record EmailAddress
{
    // RFC 5321 section 4.5.3.1: 64 octets before the @, 256 for the path with its angle brackets.
    private const int MaxLocalOctets = 64;
    private const int MaxOctets = 254;
    private const string AsciiAtomSpecials = "!#$%&'*+-/=?^_`{|}~";

    private static readonly IdnMapping s_idn = new() { UseStd3AsciiRules = true };

    private EmailAddress(string address, string canonical)
    {
        Address = address;
        Canonical = canonical;
    }

    /// <summary>The address as typed, in NFC: what mail is sent to.</summary>
    public string Address { get; }

    /// <summary>The form that is compared, counted and unique.</summary>
    public string Canonical { get; }

    /// <summary>
    /// Reads a dot-atom address (RFC 5322 section 3.4.1, with the letters of RFC 6531). Quoted local parts, address
    /// literals, comments and domains of one label are refused, and so is a local part in which folding turns a
    /// non-ASCII character into ASCII: its owner could otherwise prove somebody else's address.
    /// </summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out EmailAddress? email)
    {
        email = null;
        // Length first: nothing below sees more than a few hundred characters.
        if (text is null || text.Length is < 3 or > MaxOctets || !text.IsNormalizable(out var typed))
        {
            return false;
        }

        var at = typed.LastIndexOf('@');
        if (at < 1 || Encoding.UTF8.GetByteCount(typed) > MaxOctets)
        {
            return false;
        }

        var local = typed[..at];
        var canonicalLocal = local.ToLowerInvariant().Normalize(NormalizationForm.FormC);
        if (!IsLocalPart(local) || FoldsToAscii(text[..text.LastIndexOf('@')])
            || !TryDomain(typed[(at + 1)..], out var domain))
        {
            return false;
        }

        var canonical = $"{canonicalLocal}@{domain}";
        if (Encoding.UTF8.GetByteCount(canonical) > MaxOctets)
        {
            return false;
        }

        email = new EmailAddress(typed, canonical);
        return true;
    }

    /// <summary>Enough to recognise one's own address, too little to learn it: <c>a…@e….com</c>.</summary>
    public static string Mask(string address)
    {
        var at = address.LastIndexOf('@');
        var dot = address.LastIndexOf('.');
        if (at < 1 || dot < at)
        {
            return "…";
        }

        return $"{FirstCharacter(address)}…@{FirstCharacter(address[(at + 1)..])}…{address[dot..]}";
    }

    public override string ToString() => Mask(Address);

    private static string FirstCharacter(string text) => StringInfo.GetNextTextElement(text);

    private static bool IsLocalPart(string local)
    {
        if (Encoding.UTF8.GetByteCount(local) > MaxLocalOctets || local[0] == '.' || local[^1] == '.')
        {
            return false;
        }

        var previousIsDot = false;
        foreach (var rune in local.EnumerateRunes())
        {
            var isDot = rune.Value == '.';
            if ((isDot && previousIsDot) || (!isDot && !IsAtomText(rune)))
            {
                return false;
            }

            previousIsDot = isDot;
        }

        return true;
    }

    private static bool IsAtomText(Rune rune)
    {
        if (rune.IsAscii)
        {
            return char.IsAsciiLetterOrDigit((char)rune.Value) || AsciiAtomSpecials.Contains((char)rune.Value, StringComparison.Ordinal);
        }

        // No spaces, controls, direction marks or private characters: they make two addresses look alike.
        return Rune.IsLetterOrDigit(rune)
            || Rune.GetUnicodeCategory(rune) is UnicodeCategory.NonSpacingMark or UnicodeCategory.SpacingCombiningMark;
    }

    private static bool TryDomain(string typed, [NotNullWhen(true)] out string? domain)
    {
        domain = null;
        if (typed.Length == 0 || typed[^1] == '.')
        {
            return false;
        }

        try
        {
            domain = s_idn.GetAscii(typed).ToLowerInvariant();
        }
        catch (ArgumentException)
        {
            // IdnMapping has no Try form: empty and long labels, symbols and spaces end here.
            return false;
        }

        var labels = domain.Split('.');
        return labels.Length >= 2
            && labels.All(label => label.Length is > 0 and <= 63 && label[0] != '-' && label[^1] != '-'
                && label.All(letter => char.IsAsciiLetterOrDigit(letter) || letter == '-'))
            && !labels[^1].All(char.IsAsciiDigit);
    }

    // One by one: the Kelvin sign folds to k, while an e with its accent beside it merely becomes one letter.
    private static bool FoldsToAscii(string text) => text.EnumerateRunes().Any(rune =>
        !rune.IsAscii && rune.ToString().Normalize(NormalizationForm.FormC).ToLowerInvariant().Any(char.IsAscii));
}
