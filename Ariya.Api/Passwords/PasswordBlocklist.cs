using System.Text;
using Ariya.Data.Accounts;

namespace Ariya.Api.Passwords;

/// <summary>
/// Passwords that are long and still guessed first: one piece repeated, a run of the alphabet, digits or keyboard, or a word that
/// everybody knows of this account (its address, its names, the product) with ornaments. Judged on the whole password
/// (NIST SP 800-63B-4 section 3.1.1.2); what a password is made of is nobody's business beyond that.
/// </summary>
internal static class PasswordBlocklist
{
    private const string Product = "ariya";
    private const int LongestRepeatedPiece = 5;

    // What must be left when the words and ornaments are taken away: words of the account are the first guess for it, so more.
    private const int LettersBesideOwnWords = 6;
    private const int LettersBesideEverybodysWords = 3;

    private static readonly string[] s_runs =
    [
        "abcdefghijklmnopqrstuvwxyz", "0123456789", "1234567890", "qwertyuiop", "asdfghjkl", "zxcvbnm", "qwertzuiop", "yxcvbnm", "azertyuiop",
        "qsdfghjklm", "wxcvbn", "1q2w3e4r5t6y7u8i9o0p", "1qaz2wsx3edc4rfv5tgb6yhn7ujm8ik9ol0p",
    ];

    // The words that decorate other people's passwords; alone or together they are no password of one's own.
    private static readonly string[] s_everybodys = ["password", "passwort", "motdepasse", "contrasena", "welcome", "letmein", "iloveyou", "admin", "login", "changeme"];

    /// <summary>Why the password is refused, for the person who chose it; null when it is not.</summary>
    public static string? Reason(string password, EmailAddress email, params IEnumerable<string> names)
    {
        var folded = Fold(password);
        if (IsRepeated(folded))
        {
            return "This repeats one short piece.";
        }

        if (IsMadeOfRuns(folded))
        {
            return "This is a run of the alphabet, of digits or of the keyboard.";
        }

        var local = email.Canonical[..email.Canonical.LastIndexOf('@')];
        var domain = email.Canonical[(local.Length + 1)..];
        var known = names.Select(Fold).Append(email.Canonical).Append(local).Append(domain).Concat(domain.Split('.')).Append(Product);
        return IsKnownWordWithOrnaments(folded, known, LettersBesideOwnWords) ? "This is made of your name, your address or the product's name."
            : IsKnownWordWithOrnaments(folded, s_everybodys, LettersBesideEverybodysWords) ? "This is one of the passwords that are tried first."
            : null;
    }

    private static string Fold(string text) => text.Normalize(NormalizationForm.FormKC).ToLowerInvariant();

    private static bool IsRepeated(string text)
    {
        return Enumerable.Range(1, LongestRepeatedPiece).Any(piece =>
            text.Index().All(letter => letter.Item == text[letter.Index % piece]));
    }

    // Every letter continues a run, forwards or backwards, of at least four.
    private static bool IsMadeOfRuns(string text)
    {
        var at = 0;
        while (at < text.Length)
        {
            var length = s_runs.Max(run => Math.Max(CommonRun(text, at, run), CommonRun(text, at, new string([.. run.Reverse()]))));
            if (length < 4)
            {
                return false;
            }

            at += length;
        }

        return true;
    }

    // A run may start anywhere in its row and go round: 890123.
    private static int CommonRun(string text, int at, string run)
    {
        var start = run.IndexOf(text[at], StringComparison.Ordinal);
        var length = 0;
        while (start >= 0 && at + length < text.Length && text[at + length] == run[(start + length) % run.Length])
        {
            length++;
        }

        return length;
    }

    private static bool IsKnownWordWithOrnaments(string text, IEnumerable<string> words, int lettersBeside)
    {
        var left = text;
        foreach (var word in words.Where(word => word.Length >= 3).OrderByDescending(word => word.Length))
        {
            left = left.Replace(word, "", StringComparison.Ordinal);
        }

        return left.Length < text.Length && left.EnumerateRunes().Count(Rune.IsLetter) < lettersBeside;
    }
}
