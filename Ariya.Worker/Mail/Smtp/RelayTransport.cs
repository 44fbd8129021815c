using System.Globalization;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Ariya.Worker.Mail.Smtp;

/// <summary>
/// What every way to talk SMTP has in common here: when a connection is used again, and what a reply or a failure means for a mail.
/// </summary>
internal abstract class RelayTransport(SmtpSettings settings, TimeProvider clock) : IMailTransport
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(5);

    private bool _isConnected;
    private long _heardAt;

    protected SmtpSettings Settings => settings;

    /// <summary>Whether the relay said that it takes addresses outside ASCII (RFC 6531).</summary>
    protected abstract bool TakesUtf8 { get; }

    /// <summary>Connects, turns to TLS and signs in, as the settings want it; throws when any of it fails.</summary>
    protected abstract Task ConnectAsync(CancellationToken cancellationToken);

    /// <summary>Asks a quiet connection whether it still is one; throws when it is not.</summary>
    protected abstract Task AskAsync(TimeSpan patience, CancellationToken cancellationToken);

    /// <summary>One mail; the reply that decided. Says each stage before it waits for that stage's answer.</summary>
    protected abstract Task<SmtpReply> TransferAsync(
        OutgoingMail mail, SmtpAddress to, Action<SmtpStage> reached, CancellationToken cancellationToken);

    /// <summary>Makes the connection ready for another mail after a refusal; false when it cannot be.</summary>
    protected abstract Task<bool> ResetAsync(CancellationToken cancellationToken);

    /// <summary>Ends the connection, with QUIT if politely.</summary>
    protected abstract Task HangUpAsync(bool isPolite);

    public async Task<DeliveryReport> OpenAsync(CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        if (_isConnected && (clock.GetElapsedTime(_heardAt) < s_quiet || await IsAliveAsync(cancellationToken)))
        {
            return Report(DeliveryOutcome.Accepted, SmtpStage.Connect, "connected", started);
        }

        try
        {
            await ConnectAsync(cancellationToken);
            _isConnected = true;
            _heardAt = clock.GetTimestamp();
            return Report(DeliveryOutcome.Accepted, SmtpStage.Connect, "connected", started);
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            await BreakAsync();
            return Report(DeliveryOutcome.RelayFailed, SmtpStage.Connect, Describe(exception), started);
        }
        catch
        {
            await BreakAsync();
            throw;
        }
    }

    public async Task<DeliveryReport> SendAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        var isReused = _isConnected;
        var report = await DeliverAsync(mail, cancellationToken);
        // Relays hang up on quiet connections and after some number of mails; one that did so before this mail began is simply opened again.
        return isReused && report is { Outcome: DeliveryOutcome.RelayFailed, Stage: SmtpStage.Mail }
            ? await DeliverAsync(mail, cancellationToken)
            : report;
    }

    public async Task CloseAsync()
    {
        if (_isConnected)
        {
            _isConnected = false;
            try
            {
                await HangUpAsync(isPolite: true);
            }
            catch (Exception exception) when (IsRelayFailure(exception, CancellationToken.None))
            {
                // The relay hung up first: the same end.
                await HangUpAsync(isPolite: false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        await CloseAsync();
        await HangUpAsync(isPolite: false);
    }

    private async Task<DeliveryReport> DeliverAsync(OutgoingMail mail, CancellationToken cancellationToken)
    {
        var started = clock.GetTimestamp();
        var opened = await OpenAsync(cancellationToken);
        if (opened.Outcome != DeliveryOutcome.Accepted)
        {
            return opened;
        }

        var stage = SmtpStage.Mail;
        try
        {
            var to = SmtpAddress.Of(mail.To);
            if (to.NeedsUtf8 && !TakesUtf8)
            {
                return Report(DeliveryOutcome.Refused, stage, "the relay does not take addresses outside ASCII", started);
            }

            var reply = await TransferAsync(mail, to, reached => stage = reached, cancellationToken);
            _heardAt = clock.GetTimestamp();
            var outcome = Judge(reply, stage);
            if (outcome == DeliveryOutcome.RelayFailed || (outcome != DeliveryOutcome.Accepted && !await IsReadyAgainAsync(cancellationToken)))
            {
                await BreakAsync();
            }

            return Report(outcome, stage, reply.ToString(), started);
        }
        catch (FormatException)
        {
            // Nothing was said about it yet: the address is read before the first command.
            return Report(DeliveryOutcome.Refused, stage, "the stored address cannot be used", started);
        }
        catch (Exception exception) when (stage == SmtpStage.AfterDot || IsRelayFailure(exception, cancellationToken))
        {
            await BreakAsync();
            return Report(stage == SmtpStage.AfterDot ? DeliveryOutcome.Unknown : DeliveryOutcome.RelayFailed, stage, Describe(exception), started);
        }
        catch
        {
            await BreakAsync();
            throw;
        }
    }

    // 421 says the relay is going away, 454 and 53x that it wants TLS or a sign-in, a 5yz to MAIL that it does not know the sender: all
    // of them its trouble or the configuration's, not this mail's.
    private static DeliveryOutcome Judge(SmtpReply reply, SmtpStage stage) => reply.Code switch
    {
        >= 200 and < 300 when stage == SmtpStage.AfterDot => DeliveryOutcome.Accepted,
        421 or 454 or (>= 530 and < 540) => DeliveryOutcome.RelayFailed,
        >= 500 when stage == SmtpStage.Mail => DeliveryOutcome.RelayFailed,
        >= 500 => DeliveryOutcome.Refused,
        _ => DeliveryOutcome.Deferred,
    };

    // The verdict on a mail stands, whatever becomes of the connection.
    private async Task<bool> IsReadyAgainAsync(CancellationToken cancellationToken)
    {
        try
        {
            return await ResetAsync(cancellationToken);
        }
        catch (Exception exception) when (exception is OperationCanceledException || IsRelayFailure(exception, cancellationToken))
        {
            return false;
        }
    }

    // Relays hang up on a quiet connection, and a relay may be gone: better found before a mail is claimed than with it in hand.
    private async Task<bool> IsAliveAsync(CancellationToken cancellationToken)
    {
        try
        {
            await AskAsync(s_quiet, cancellationToken);
            _heardAt = clock.GetTimestamp();
            return true;
        }
        catch (Exception exception) when (IsRelayFailure(exception, cancellationToken))
        {
            // Whether there is a relay, the next connection shows.
            await BreakAsync();
            return false;
        }
    }

    private Task BreakAsync()
    {
        _isConnected = false;
        return HangUpAsync(isPolite: false);
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
