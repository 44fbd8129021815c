using System.Net.Security;
using System.Text;
using Ariya.Worker.Mail.Smtp;
using MailKit.Net.Smtp;
using MailKit.Security;
using MimeKit;

namespace Ariya.Worker.Mail.MailKit;

/// <summary>
/// MailKit behind the same policies as the small client: it knows more ways to sign in (SCRAM, NTLM). Compiled with UseMailKit=true.
/// </summary>
internal sealed class MailKitTransport(SmtpSettings settings, TimeProvider clock) : RelayTransport(settings, clock)
{
    private readonly TimeProvider _clock = clock;
    private SmtpClient? _client;
    private DialogueWatch _watch = new();
    private bool _isOutOfStep;

    protected override bool TakesUtf8 => _client!.Capabilities.HasFlag(SmtpCapabilities.UTF8);

    protected override async Task ConnectAsync(CancellationToken cancellationToken)
    {
        if (Settings is { User: not null, Security: SmtpSecurity.None })
        {
            throw new SmtpRelayException("the relay is reached in clear, so no password is sent");
        }

        _watch = new DialogueWatch();
        _isOutOfStep = false;
        var client = _client = new SmtpClient(_watch)
        {
            LocalDomain = SmtpSettings.OwnName,
            CheckCertificateRevocation = false,
            // MailKit's own check lets some certificates pass that are wrong.
            ServerCertificateValidationCallback = (_, _, _, errors) => errors == SslPolicyErrors.None,
            Timeout = Timeout.Infinite,
        };
        using var limit = new Deadline(_watch, Settings.CommandTimeout, cancellationToken);
        var replies = 0;
        _watch.OnReply = _ =>
        {
            // The greeting, EHLO, STARTTLS: what comes with the third answer would be read as if it had come under TLS.
            _watch.IsLastInClear = ++replies == 3 && Settings.Security == SmtpSecurity.StartTls;
            limit.Extend(Settings.CommandTimeout);
        };
        try
        {
            await client.ConnectAsync(Settings.Host, Settings.Port, Settings.Security switch
            {
                SmtpSecurity.None => SecureSocketOptions.None,
                SmtpSecurity.StartTls => SecureSocketOptions.StartTls,
                SmtpSecurity.Implicit => SecureSocketOptions.SslOnConnect,
            }, limit.Token);
            // BDAT has no final dot to tell "not sent" from "unknown" by.
            client.Capabilities &= ~SmtpCapabilities.Chunking;
            if (Settings.User is { } user)
            {
                await client.AuthenticateAsync(Encoding.UTF8, user, Settings.Password ?? "", limit.Token);
            }
        }
        catch (SslHandshakeException exception)
        {
            throw new System.Security.Authentication.AuthenticationException("The relay's certificate or protocol was not accepted.", exception);
        }
        catch (NotSupportedException) when (client.IsConnected)
        {
            throw new SmtpRelayException("the relay offers no way to sign in that is known here");
        }
        catch (NotSupportedException)
        {
            throw new SmtpRelayException("the relay offers no STARTTLS, so nothing is sent");
        }
        catch (Exception exception) when (IsSmtp(exception))
        {
            throw new SmtpRelayException(_watch.Last?.ToString() ?? "the connection broke");
        }
    }

    protected override async Task AskAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var limit = new Deadline(_watch, patience, cancellationToken);
        try
        {
            await _client!.NoOpAsync(limit.Token);
        }
        catch (Exception exception) when (IsSmtp(exception))
        {
            throw new SmtpRelayException("the connection broke");
        }
    }

    protected override async Task<SmtpReply> TransferAsync(
        OutgoingMail mail, SmtpAddress to, Action<SmtpStage> reached, CancellationToken cancellationToken)
    {
        if (_isOutOfStep)
        {
            // What it said too much would be taken for the answer to what comes now.
            throw new SmtpRelayException("the relay answered more than it was asked");
        }

        using var content = new MemoryStream(Encoding.UTF8.GetBytes(Ariya.Worker.Mail.MimeMessage.Write(mail, Settings, _clock.GetUtcNow())));
        using var message = await MimeKit.MimeMessage.LoadAsync(content, cancellationToken);
        using var limit = new Deadline(_watch, Settings.CommandTimeout, cancellationToken);
        var replies = new List<SmtpReply>();
        SmtpReply? refusal = null;
        _watch.OnReply = reply =>
        {
            // MAIL, RCPT, DATA and the content are answered in this order, whether they were sent one by one or together.
            replies.Add(reply);
            _isOutOfStep = replies.Count > 4 && refusal is null;
            var isWanted = replies.Count == 3 ? reply.Code == 354 : reply.IsPositive;
            refusal ??= isWanted || replies.Count > 4 ? null : reply;
            if (refusal is null && replies.Count < 4)
            {
                reached((SmtpStage)((int)SmtpStage.Mail + replies.Count));
            }

            limit.Extend(replies.Count == 3 && refusal is null ? Settings.AcceptanceTimeout : Settings.CommandTimeout);
        };
        try
        {
            var format = FormatOptions.Default.Clone();
            format.NewLineFormat = NewLineFormat.Dos;
            format.International = to.NeedsUtf8;
            await _client!.SendAsync(format, message, new MailboxAddress("", Settings.FromAddress), [new MailboxAddress("", to.Wire)], limit.Token);
        }
        catch (Exception exception) when (refusal is not null && (IsSmtp(exception) || exception is IOException or OperationCanceledException))
        {
            return refusal;
        }
        catch (Exception exception) when (IsSmtp(exception))
        {
            throw new SmtpRelayException("the connection broke");
        }

        return refusal ?? replies[3];
    }

    // MailKit has sent RSET by itself.
    protected override Task<bool> ResetAsync(CancellationToken cancellationToken) =>
        Task.FromResult(_client is { IsConnected: true } && _watch.Last is { IsPositive: true });

    protected override async Task HangUpAsync(bool isPolite)
    {
        if (_client is { } client)
        {
            _client = null;
            using (client)
            {
                if (isPolite)
                {
                    using var limit = new Deadline(_watch, TimeSpan.FromSeconds(2), CancellationToken.None);
                    await client.DisconnectAsync(quit: true, limit.Token);
                }
            }
        }
    }

    private static bool IsSmtp(Exception exception) =>
        exception is SmtpCommandException or SmtpProtocolException or global::MailKit.ServiceNotConnectedException
            or global::MailKit.ServiceNotAuthenticatedException
            or global::MailKit.Security.AuthenticationException;

    /// <summary>A time limit on an exchange, that replies may move on while it lasts.</summary>
    private sealed class Deadline : IDisposable
    {
        private readonly DialogueWatch _watch;
        private readonly CancellationTokenSource _source;

        public Deadline(DialogueWatch watch, TimeSpan patience, CancellationToken cancellationToken)
        {
            _watch = watch;
            _watch.OnReply = _ => { };
            _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            _source.CancelAfter(patience);
        }

        public CancellationToken Token => _source.Token;

        public void Extend(TimeSpan patience) => _source.CancelAfter(patience);

        public void Dispose()
        {
            _watch.OnReply = _ => { };
            _source.Dispose();
        }
    }
}
