using System.Globalization;
using System.Text;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Worker.Mail;

/// <summary>
/// Writes a message (RFC 5322) with a text and an HTML part. Everything outside the headers' own words is encoded, so no value
/// can start a header, and no line passes 78 characters but one that a longer address fills.
/// </summary>
internal static class MimeMessage
{
    // A line with an encoded word may have 76 characters: "Subject: ", =?utf-8?B? and ?= leave 55, of which base64 uses 52 for 39 bytes.
    private const int EncodedWordBytes = 39;
    private const int MaxLine = 76;

    public static string Write(OutgoingMail mail, SmtpSettings settings, DateTimeOffset now)
    {
        var boundary = $"part-{mail.MailId:N}";
        var to = SmtpAddress.Of(mail.To);
        return string.Join("\r\n",
            $"Date: {now.ToString("ddd, dd MMM yyyy HH:mm:ss", CultureInfo.InvariantCulture)} +0000",
            $"From: {Mailbox(settings.FromName, settings.FromAddress)}",
            $"To: {Mailbox(mail.ToName, to.Wire)}",
            $"Message-ID: <{mail.MailId:N}@{settings.FromAddress[(settings.FromAddress.LastIndexOf('@') + 1)..]}>",
            $"Subject: {(IsPlain(mail.Subject) ? mail.Subject : Encoded(mail.Subject))}",
            "Auto-Submitted: auto-generated",
            "MIME-Version: 1.0",
            $"Content-Type: multipart/alternative;\r\n boundary=\"{boundary}\"",
            "",
            $"--{boundary}",
            "Content-Type: text/plain; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            QuotedPrintable(mail.Text),
            $"--{boundary}",
            "Content-Type: text/html; charset=utf-8",
            "Content-Transfer-Encoding: quoted-printable",
            "",
            QuotedPrintable(mail.Html),
            $"--{boundary}--",
            "");
    }

    private static string Mailbox(string name, string address) => name.Length == 0 ? $"<{address}>" : $"{Phrase(name)}\r\n <{address}>";

    // In front of an address a comma or a dot needs quotes; in a subject they would be shown.
    private static string Phrase(string name) =>
        !IsPlain(name) ? Encoded(name) : name.AsSpan().ContainsAny(',', '.') ? $"\"{name}\"" : name;

    private static bool IsPlain(string text) =>
        text.Length <= 60 && text.All(letter => char.IsAsciiLetterOrDigit(letter) || letter is ' ' or '-' or '.' or ',' or '!' or '\'');

    // RFC 2047: words cut at code points.
    private static string Encoded(string text)
    {
        var words = new List<string>();
        var word = new List<byte>();
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in text.EnumerateRunes())
        {
            var length = rune.EncodeToUtf8(utf8);
            if (word.Count + length > EncodedWordBytes)
            {
                words.Add(Encode(word));
                word.Clear();
            }

            word.AddRange(utf8[..length]);
        }

        words.Add(Encode(word));
        return string.Join("\r\n ", words);

        static string Encode(List<byte> bytes) => $"=?utf-8?B?{Convert.ToBase64String(bytes.ToArray())}?=";
    }

    // RFC 2045 section 6.7.
    private static string QuotedPrintable(string text)
    {
        var encoded = new StringBuilder(text.Length + (text.Length / 8));
        foreach (var line in text.ReplaceLineEndings("\n").Split('\n'))
        {
            AppendLine(encoded, Encoding.UTF8.GetBytes(line));
        }

        return encoded.ToString();
    }

    private static void AppendLine(StringBuilder encoded, byte[] line)
    {
        var column = 0;
        foreach (var (index, value) in line.Index())
        {
            var isLast = index == line.Length - 1;
            var isPlain = value is >= 33 and <= 126 and not (byte)'=' || (value is (byte)' ' && !isLast);
            if (column + (isPlain ? 1 : 3) > MaxLine - 1)
            {
                encoded.Append("=\r\n");
                column = 0;
            }

            if (isPlain)
            {
                encoded.Append((char)value);
                column++;
            }
            else
            {
                encoded.Append('=').Append(value.ToString("X2", CultureInfo.InvariantCulture));
                column += 3;
            }
        }

        encoded.Append("\r\n");
    }
}
