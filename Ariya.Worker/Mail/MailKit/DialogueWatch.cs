using System.Globalization;
using System.Text;
using Ariya.Worker.Mail.Smtp;
using MailKit;

namespace Ariya.Worker.Mail.MailKit;

/// <summary>
/// Listens to MailKit's dialogue for the relay's replies, whole and with their codes: its results and exceptions tell some of them
/// in part and some not at all. Keeps nothing of what the client says.
/// </summary>
internal sealed class DialogueWatch : IProtocolLogger
{
    private const int MaxLine = 8192;
    private const int MaxLines = 128;

    private readonly StringBuilder _line = new();
    private readonly List<string> _lines = [];

    public IAuthenticationSecretDetector? AuthenticationSecretDetector { get; set; }

    public SmtpReply? Last { get; private set; }

    public Action<SmtpReply> OnReply { get; set; } = _ => { };

    /// <summary>Set by <see cref="OnReply"/> when nothing may come with the reply that was just heard.</summary>
    public bool IsLastInClear { get; set; }

    public void LogConnect(Uri uri)
    {
        // Where to is known.
    }

    public void LogClient(byte[] buffer, int offset, int count)
    {
        // Passwords and mails.
    }

    public void LogServer(byte[] buffer, int offset, int count)
    {
        IsLastInClear = false;
        foreach (var letter in Encoding.UTF8.GetString(buffer, offset, count))
        {
            if (IsLastInClear)
            {
                throw new SmtpRelayException("the relay sent more than its answer to STARTTLS");
            }

            if (letter == '\n')
            {
                Hear(_line.ToString());
                _line.Clear();
            }
            else if (!char.IsControl(letter))
            {
                _line.Append(letter);
                if (_line.Length > MaxLine || _lines.Count > MaxLines)
                {
                    throw new SmtpRelayException("the relay's reply is too long");
                }
            }
        }
    }

    public void Dispose()
    {
        // Nothing is held.
    }

    private void Hear(string line)
    {
        if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var code) || code is < 200 or >= 600)
        {
            throw new SmtpRelayException("the relay sent something that is not an SMTP reply");
        }

        _lines.Add(line.Length > 4 ? line[4..] : "");
        if (line.Length > 3 && line[3] == '-')
        {
            return;
        }

        var reply = new SmtpReply(code, [.. _lines]);
        _lines.Clear();
        Last = reply;
        OnReply(reply);
    }
}
