using System.Text;

namespace Ariya.Data;

public static class UnicodeText
{
    /// <summary>The text in NFC; false for what has no such form: a lone surrogate or a noncharacter.</summary>
    public static bool IsNormalizable(this string text, out string normalized)
    {
        try
        {
            normalized = text.Normalize(NormalizationForm.FormC);
            return true;
        }
        catch (ArgumentException)
        {
            normalized = "";
            return false;
        }
    }
}
