using System.Globalization;

namespace Ariya.Worker.Mail.Smtp;

/// <summary>An address as it goes into a command: domain in punycode, nothing in it that could end the command.</summary>
internal readonly record struct SmtpAddress(string Wire, bool NeedsUtf8)
{
    /// <exception cref="FormatException">The stored text cannot be an address; it never came through the parser.</exception>
    public static SmtpAddress Of(string address)
    {
        var at = address.LastIndexOf('@');
        if (at < 1 || address.Any(letter => letter <= ' ' || letter is '<' or '>' or '\u007f'))
        {
            throw new FormatException("A stored address cannot be used in SMTP.");
        }

        try
        {
            var wire = $"{address[..at]}@{new IdnMapping().GetAscii(address[(at + 1)..])}";
            return new SmtpAddress(wire, wire.Any(letter => !char.IsAscii(letter)));
        }
        catch (ArgumentException exception)
        {
            throw new FormatException("A stored address has a domain that cannot be one.", exception);
        }
    }
}
