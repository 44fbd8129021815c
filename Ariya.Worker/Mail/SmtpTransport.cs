using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;
using System.Text;

namespace Ariya.Worker.Mail;

/// <summary>
/// An SMTP client (RFC 5321) that keeps its connection and answers, for every mail, which reply decided and at which stage.
/// TLS names and chains are verified and there is no way back to plain text. One recipient a mail.
/// </summary>
internal sealed class SmtpTransport(SmtpSettings settings, TimeProvider clock) : IMailTransport
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(5);

    private SmtpWire? _wire;
    private long _heardAt;
    private HashSet<string> _extensions = [];

    public async Task<DeliveryReport> OpenAsync(CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        if (_wire is not null && (clock.GetElapsedTime(_heardAt) < s_quiet || await IsAliveAsync(cancellationToken)))
        {
            return Report(DeliveryOutcome.Accepted, SmtpStage.Connect, "connected", started);
        }

        try
        {
            await ConnectAsync(cancellationToken);
            _heardAt = clock.GetTimestamp();
            return Report(DeliveryOutcome.Accepted, SmtpStage.Connect, "connected", started);
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            await CloseAsync();
            return Report(DeliveryOutcome.RelayFailed, SmtpStage.Connect, Describe(exception), started);
        }
    }

    public async Task<DeliveryReport> SendAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        using var activity = WorkerTelemetry.Source.StartActivity("smtp send", ActivityKind.Client);
        activity?.SetTag("server.address", settings.Host);
        activity?.SetTag("server.port", settings.Port);
        var report = await DeliverAsync(mail, cancellationToken);
        activity?.SetTag("ariya.smtp.stage", report.Stage.ToString());
        activity?.SetTag("ariya.smtp.reply_code", report.Reply.Length >= 3 && report.Reply[..3].All(char.IsAsciiDigit) ? report.Reply[..3] : null);
        activity?.SetStatus(report.Outcome == DeliveryOutcome.Accepted ? ActivityStatusCode.Ok : ActivityStatusCode.Error);
        return report;
    }

    public async ValueTask DisposeAsync()
    {
        if (_wire is { } wire)
        {
            try
            {
                await wire.CommandAsync("QUIT", TimeSpan.FromSeconds(2), CancellationToken.None);
            }
            catch (Exception exception) when (IsRelayFailure(exception, CancellationToken.None))
            {
                // The relay hung up first: the same end.
            }
        }

        await CloseAsync();
    }

    private async Task<DeliveryReport> DeliverAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        var isReused = _wire is not null;
        var report = await DeliverOnceAsync(mail, cancellationToken);
        // Relays hang up on quiet connections after minutes; one that did so before the mail began is simply opened again.
        return isReused && report is { Outcome: DeliveryOutcome.RelayFailed, Stage: SmtpStage.Mail }
            ? await DeliverOnceAsync(mail, cancellationToken)
            : report;
    }

    private async Task<DeliveryReport> DeliverOnceAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var opened = await OpenAsync(cancellationToken);
        if (opened.Outcome != DeliveryOutcome.Accepted)
        {
            return opened;
        }

        var wire = _wire!;
        var stage = SmtpStage.Mail;
        try
        {
            var to = SmtpAddress.Of(mail.To);
            if (to.NeedsUtf8 && !_extensions.Contains("SMTPUTF8"))
            {
                return Report(DeliveryOutcome.Refused, stage, "the relay does not take addresses outside ASCII", started);
            }

            var reply = await wire.CommandAsync(
                $"MAIL FROM:<{settings.FromAddress}>{(to.NeedsUtf8 ? " SMTPUTF8 BODY=8BITMIME" : "")}", settings.CommandTimeout, cancellationToken);
            if (!reply.IsPositive)
            {
                return await RefusedAsync(reply, stage, started, cancellationToken);
            }

            stage = SmtpStage.Rcpt;
            reply = await wire.CommandAsync($"RCPT TO:<{to.Wire}>", settings.CommandTimeout, cancellationToken);
            if (!reply.IsPositive)
            {
                return await RefusedAsync(reply, stage, started, cancellationToken);
            }

            stage = SmtpStage.Data;
            reply = await wire.CommandAsync("DATA", settings.CommandTimeout, cancellationToken);
            if (reply.Code != 354)
            {
                return await RefusedAsync(reply, stage, started, cancellationToken);
            }

            // From here on the relay may have it, whatever happens to the connection.
            stage = SmtpStage.AfterDot;
            reply = await wire.ContentAsync(
                MimeMessage.Write(mail, settings, clock.GetUtcNow()), settings.CommandTimeout, settings.AcceptanceTimeout, cancellationToken);
            return reply.IsPositive
                ? Report(DeliveryOutcome.Accepted, stage, reply.ToString(), started)
                : await RefusedAsync(reply, stage, started, cancellationToken);
        }
        catch (FormatException)
        {
            // Nothing was said about it yet: the address is read before the first command.
            return Report(DeliveryOutcome.Refused, stage, "the stored address cannot be used", started);
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            await CloseAsync();
            return Report(stage == SmtpStage.AfterDot ? DeliveryOutcome.Unknown : DeliveryOutcome.RelayFailed, stage, Describe(exception), started);
        }
    }

    // 421 says the relay is going away, 454 and 53x that it wants TLS or a sign-in, a 5yz to MAIL that it does not know the sender: all
    // of them its trouble or the configuration's, not this mail's.
    private async Task<DeliveryReport> RefusedAsync(SmtpReply reply, SmtpStage stage, long started, CancellationToken cancellationToken)
    {
        if (reply.Code is 421 or 454 or (>= 530 and < 540) || (stage == SmtpStage.Mail && reply.Code >= 500))
        {
            await CloseAsync();
            return Report(DeliveryOutcome.RelayFailed, stage, reply.ToString(), started);
        }

        try
        {
            var reset = await _wire!.CommandAsync("RSET", settings.CommandTimeout, cancellationToken);
            if (!reset.IsPositive)
            {
                await CloseAsync();
            }
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            // The verdict on the mail stands, whatever becomes of the connection.
            await CloseAsync();
        }

        return Report(reply.Code >= 500 ? DeliveryOutcome.Refused : DeliveryOutcome.Deferred, stage, reply.ToString(), started);
    }

    // Relays hang up on a quiet connection, and a relay may be gone: better found before a mail is claimed than with it in hand.
    private async Task<bool> IsAliveAsync(CancellationToken cancellationToken)
    {
        try
        {
            if ((await _wire!.CommandAsync("NOOP", s_quiet, cancellationToken)).IsPositive)
            {
                _heardAt = clock.GetTimestamp();
                return true;
            }
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            // Whether there is a relay, the next connection shows.
        }

        await CloseAsync();
        return false;
    }

    private async Task ConnectAsync(CancellationToken cancellationToken)
    {
        var wire = await SmtpWire.ConnectAsync(settings, cancellationToken);
        _wire = wire;
        Require(await wire.ReadReplyAsync(settings.CommandTimeout, cancellationToken), 220);
        await GreetAsync(wire, cancellationToken);
        if (settings.Security == SmtpSecurity.StartTls)
        {
            if (!_extensions.Contains("STARTTLS"))
            {
                throw new SmtpRelayException("the relay offers no STARTTLS, so nothing is sent");
            }

            Require(await wire.CommandAsync("STARTTLS", settings.CommandTimeout, cancellationToken), 220);
            await wire.StartTlsAsync(settings, cancellationToken);
            // What was announced in clear may have been written by anybody: ask again.
            await GreetAsync(wire, cancellationToken);
        }

        if (settings.User is not null)
        {
            await AuthenticateAsync(wire, settings.User, settings.Password ?? "", cancellationToken);
        }
    }

    private async Task GreetAsync(SmtpWire wire, CancellationToken cancellationToken)
    {
        var reply = await wire.CommandAsync($"EHLO {Environment.MachineName.ToLowerInvariant()}", settings.CommandTimeout, cancellationToken);
        Require(reply, 250);
        _extensions = reply.Lines.Skip(1).Select(line => line.ToUpperInvariant()).SelectMany(
            line => line.StartsWith("AUTH ", StringComparison.Ordinal) ? line.Split(' ').Select(word => word == "AUTH" ? word : $"AUTH {word}") : [line.Split(' ')[0]])
            .ToHashSet();
    }

    private async Task AuthenticateAsync(SmtpWire wire, string user, string password, CancellationToken cancellationToken)
    {
        if (settings.Security == SmtpSecurity.None)
        {
            throw new SmtpRelayException("the relay is reached in clear, so no password is sent");
        }

        if (_extensions.Contains("AUTH PLAIN"))
        {
            var credentials = Convert.ToBase64String(Encoding.UTF8.GetBytes($"\0{user}\0{password}"));
            Require(await wire.CommandAsync($"AUTH PLAIN {credentials}", settings.CommandTimeout, cancellationToken), 235);
        }
        else if (_extensions.Contains("AUTH LOGIN"))
        {
            Require(await wire.CommandAsync("AUTH LOGIN", settings.CommandTimeout, cancellationToken), 334);
            Require(await wire.CommandAsync(Convert.ToBase64String(Encoding.UTF8.GetBytes(user)), settings.CommandTimeout, cancellationToken), 334);
            Require(await wire.CommandAsync(Convert.ToBase64String(Encoding.UTF8.GetBytes(password)), settings.CommandTimeout, cancellationToken), 235);
        }
        else
        {
            throw new SmtpRelayException("the relay offers neither AUTH PLAIN nor AUTH LOGIN");
        }
    }

    private static void Require(SmtpReply reply, int code)
    {
        if (reply.Code != code)
        {
            throw new SmtpRelayException(reply.ToString());
        }
    }

    private async Task CloseAsync()
    {
        if (_wire is { } wire)
        {
            _wire = null;
            await wire.DisposeAsync();
        }
    }

    // A time-out of ours is the relay's failure; a cancellation of the caller's is not.
    private static bool IsRelayFailure(Exception exception, CancellationToken cancellationToken) =>
        exception is SmtpRelayException or IOException or SocketException or AuthenticationException
        || (exception is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private static string Describe(Exception exception) => exception switch
    {
        SmtpRelayException relay => relay.Message,
        OperationCanceledException => "no answer in time",
        SocketException socket => string.Create(CultureInfo.InvariantCulture, $"no connection: {socket.SocketErrorCode}"),
        AuthenticationException => "TLS: the relay's certificate or protocol was not accepted",
        _ => "the connection broke",
    };

    private DeliveryReport Report(DeliveryOutcome outcome, SmtpStage stage, string reply, long started) =>
        new(outcome, stage, reply, clock.GetElapsedTime(started));
}

/// <summary>The relay as a whole refused or cannot be trusted; no mail is to blame.</summary>
internal sealed class SmtpRelayException(string message) : Exception(message);
