using System.Text;

namespace Ariya.Worker.Mail.Smtp;

/// <summary>
/// A small SMTP client (RFC 5321): STARTTLS or TLS from the first byte, with verified names and no way back to plain text; AUTH PLAIN and
/// LOGIN; SMTPUTF8 when it is offered. One recipient a mail.
/// </summary>
internal sealed class SmtpTransport(SmtpSettings settings, TimeProvider clock) : RelayTransport(settings, clock)
{
    private static readonly TimeSpan s_quitPatience = TimeSpan.FromSeconds(2);

    private readonly TimeProvider _clock = clock;
    private SmtpWire? _wire;
    private HashSet<string> _extensions = [];

    protected override bool TakesUtf8 => _extensions.Contains("SMTPUTF8");

    protected override async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var wire = _wire = await SmtpWire.ConnectAsync(Settings, cancellationToken);
        Require(await wire.ReadAsync(Settings.CommandTimeout, cancellationToken), 220);
        await GreetAsync(wire, cancellationToken);
        if (Settings.Security == SmtpSecurity.StartTls)
        {
            if (!_extensions.Contains("STARTTLS"))
            {
                throw new SmtpRelayException("the relay offers no STARTTLS, so nothing is sent");
            }

            Require(await CommandAsync("STARTTLS", cancellationToken), 220);
            await wire.StartTlsAsync(Settings, cancellationToken);
            // What was announced in clear may have been written by anybody: ask again.
            await GreetAsync(wire, cancellationToken);
        }

        if (Settings.User is { } user)
        {
            await AuthenticateAsync(user, Settings.Password ?? "", cancellationToken);
        }
    }

    protected override async Task AskAsync(TimeSpan patience, CancellationToken cancellationToken) =>
        Require(await _wire!.CommandAsync("NOOP", patience, cancellationToken), 250);

    protected override async Task<SmtpReply> TransferAsync(
        OutgoingMail mail, SmtpAddress to, Action<SmtpStage> reached, CancellationToken cancellationToken)
    {
        var from = $"MAIL FROM:<{Settings.FromAddress}>{(to.NeedsUtf8 ? " SMTPUTF8 BODY=8BITMIME" : "")}";
        string[] envelope = [from, $"RCPT TO:<{to.Wire}>"];
        if (_extensions.Contains("PIPELINING"))
        {
            // RFC 2920: both in one packet, and both answers are read, also when the first says no.
            await _wire!.WriteAsync(envelope, Settings.CommandTimeout, cancellationToken);
            var sender = await ReadAsync(cancellationToken);
            if (sender.IsPositive)
            {
                reached(SmtpStage.Rcpt);
            }

            // A relay that goes away says so once.
            var recipient = sender.Code == 421 ? sender : await ReadAsync(cancellationToken);
            if (!sender.IsPositive || !recipient.IsPositive)
            {
                return sender.IsPositive ? recipient : sender;
            }
        }
        else
        {
            foreach (var (index, command) in envelope.Index())
            {
                reached(index == 0 ? SmtpStage.Mail : SmtpStage.Rcpt);
                if (await CommandAsync(command, cancellationToken) is { IsPositive: false } refused)
                {
                    return refused;
                }
            }
        }

        reached(SmtpStage.Data);
        if (await CommandAsync("DATA", cancellationToken) is { Code: not 354 } unwilling)
        {
            return unwilling;
        }

        // From here on the relay may have it, whatever happens to the connection.
        reached(SmtpStage.AfterDot);
        await _wire!.WriteContentAsync(MimeMessage.Write(mail, Settings, _clock.GetUtcNow()), Settings.CommandTimeout, cancellationToken);
        return await _wire.ReadAsync(Settings.AcceptanceTimeout, cancellationToken);
    }

    protected override async Task<bool> ResetAsync(CancellationToken cancellationToken) =>
        (await CommandAsync("RSET", cancellationToken)).IsPositive;

    protected override async Task HangUpAsync(bool isPolite)
    {
        if (isPolite)
        {
            await _wire!.CommandAsync("QUIT", s_quitPatience, CancellationToken.None);
        }

        if (_wire is { } wire)
        {
            _wire = null;
            await wire.DisposeAsync();
        }
    }

    private async Task GreetAsync(SmtpWire wire, CancellationToken cancellationToken)
    {
        var reply = await wire.CommandAsync($"EHLO {SmtpSettings.OwnName}", Settings.CommandTimeout, cancellationToken);
        Require(reply, 250);
        // "AUTH PLAIN LOGIN" is kept as "AUTH PLAIN" and "AUTH LOGIN".
        _extensions = [.. reply.Lines.Skip(1).SelectMany(line => line.ToUpperInvariant().Split(' ') is ["AUTH", .. var ways]
            ? ways.Select(way => $"AUTH {way}")
            : [line.ToUpperInvariant().Split(' ')[0]])];
    }

    private async Task AuthenticateAsync(string user, string password, CancellationToken cancellationToken)
    {
        if (Settings.Security == SmtpSecurity.None)
        {
            throw new SmtpRelayException("the relay is reached in clear, so no password is sent");
        }

        if (_extensions.Contains("AUTH PLAIN"))
        {
            Require(await CommandAsync($"AUTH PLAIN {Base64($"\0{user}\0{password}")}", cancellationToken), 235);
        }
        else if (_extensions.Contains("AUTH LOGIN"))
        {
            Require(await CommandAsync("AUTH LOGIN", cancellationToken), 334);
            Require(await CommandAsync(Base64(user), cancellationToken), 334);
            Require(await CommandAsync(Base64(password), cancellationToken), 235);
        }
        else
        {
            throw new SmtpRelayException("the relay offers neither AUTH PLAIN nor AUTH LOGIN");
        }
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static void Require(SmtpReply reply, int code)
    {
        if (reply.Code != code)
        {
            throw new SmtpRelayException(reply.ToString());
        }
    }

    private Task<SmtpReply> CommandAsync(string command, CancellationToken cancellationToken) =>
        _wire!.CommandAsync(command, Settings.CommandTimeout, cancellationToken);

    private Task<SmtpReply> ReadAsync(CancellationToken cancellationToken) => _wire!.ReadAsync(Settings.CommandTimeout, cancellationToken);
}
