using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Mail;

/// <summary>A message as a mail program reads it; it shares nothing with the code that wrote it.</summary>
internal sealed partial class ReceivedMail
{
    private ReceivedMail(string raw)
    {
        Raw = raw;
        var (head, body) = Split(raw);
        Headers = head;
        var boundary = Regex.Match(Header("Content-Type"), "boundary=\"([^\"]+)\"").Groups[1].Value;
        var parts = body.Split($"--{boundary}");
        Assert.Equal("--", parts[^1].Trim());
        Text = Part(parts[1], "text/plain");
        Html = Part(parts[2], "text/html");
    }

    public string Raw { get; }
    public IReadOnlyList<(string Name, string Value)> Headers { get; }
    public string Text { get; }
    public string Html { get; }
    public string Subject => Decode(Header("Subject"));
    public string MessageId => Header("Message-ID");
    public string Link => LinkPattern().Match(Text).Value;
    public string Token => Link[(Link.IndexOf('=', StringComparison.Ordinal) + 1)..];

    public static ReceivedMail Parse(string raw) => new(raw);

    /// <summary>The one header of a name.</summary>
    public string Header(string name) => Assert.Single(Headers, header => header.Name == name).Value;

    /// <summary>RFC 2047: words in base64, put together without the space between two of them.</summary>
    public static string Decode(string value) => EncodedWord().Replace(
        BetweenWords().Replace(value, "?==?"), word => Encoding.UTF8.GetString(Convert.FromBase64String(word.Groups[1].Value)));

    private static (IReadOnlyList<(string Name, string Value)> Headers, string Body) Split(string raw)
    {
        var end = raw.IndexOf("\r\n\r\n", StringComparison.Ordinal);
        var headers = Regex.Replace(raw[..end], "\r\n[ \t]", " ").Split("\r\n")
            .Select(line => line.Split(':', 2)).Select(pair => (pair[0], pair[1].Trim()));
        return ([.. headers], raw[(end + 4)..]);
    }

    private static string Part(string part, string type)
    {
        var (headers, body) = Split(part.TrimStart('\r', '\n'));
        Assert.Contains(headers, header => header == ("Content-Type", $"{type}; charset=utf-8"));
        Assert.Contains(headers, header => header == ("Content-Transfer-Encoding", "quoted-printable"));
        return Unquote(body);
    }

    // RFC 2045 section 6.7.
    private static string Unquote(string body)
    {
        var bytes = new List<byte>();
        var joined = body.Replace("=\r\n", "", StringComparison.Ordinal);
        for (var index = 0; index < joined.Length; index++)
        {
            if (joined[index] == '=')
            {
                bytes.Add(byte.Parse(joined.AsSpan(index + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                index += 2;
            }
            else
            {
                bytes.Add((byte)joined[index]);
            }
        }

        return Encoding.UTF8.GetString([.. bytes]).ReplaceLineEndings("\n").TrimEnd('\n');
    }

    [GeneratedRegex(@"=\?utf-8\?B\?([A-Za-z0-9+/=]+)\?=")]
    private static partial Regex EncodedWord();

    [GeneratedRegex(@"\?=\s+=\?")]
    private static partial Regex BetweenWords();

    [GeneratedRegex(@"https?://\S+\?token=[A-Za-z0-9_-]+")]
    private static partial Regex LinkPattern();
}
