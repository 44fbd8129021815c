using System.Diagnostics;
using Ariya.Data.Outbox;
using Ariya.Worker.Mail;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Outbox;

/// <summary>
/// Sends what the outbox holds: greet the relay, claim a batch, look up and mint, send, settle. Nothing is claimed while no
/// relay answers, so mail waits unminted and no link ages.
/// </summary>
internal sealed partial class OutboxDispatcher(
    IServiceScopeFactory scopes, IMailTransport transport, Heartbeat heartbeat, IOptions<OutboxOptions> options, Func<double> jitter,
    TimeProvider clock, ILogger<OutboxDispatcher> logger) : BackgroundService
{
    private static readonly TimeSpan s_relayPause = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_settlePause = TimeSpan.FromSeconds(1);

    private string? _relayTrouble;

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var pause = options.Value.PollInterval;
            try
            {
                if (!await IsRelayReadyAsync(stoppingToken))
                {
                    pause = s_relayPause;
                }
                else if (await RunOnceAsync(stoppingToken) == options.Value.BatchSize)
                {
                    continue;
                }
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // The database is away or answered an error: what was claimed comes back when its lease ends.
                Log.RoundFailed(logger, exception);
                pause = s_relayPause;
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One batch, whole.</summary>
    /// <returns>How many rows were claimed.</returns>
    internal async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        // A name for this batch alone: a later batch must not renew what an earlier one failed to settle.
        var owner = Guid.CreateVersion7();
        var batch = await scope.ServiceProvider.GetRequiredService<OutboxQueue>()
            .ClaimAsync(owner, options.Value.BatchSize, options.Value.Lease, cancellationToken);
        if (batch.Count == 0)
        {
            return 0;
        }

        // Not tied to stopping: while the worker stops it may still wait for the relay's verdict on a mail, and nobody else may send that one.
        using var renewal = new CancellationTokenSource();
        var renewing = RenewAsync(owner, [.. batch.Select(message => message.Id)], renewal.Token);
        var settlements = new List<Settlement>(batch.Count);
        try
        {
            settlements.AddRange(batch.Where(message => message.IsLate).Select(message =>
                new Settlement(message, OutboxStates.Expired, "too late to be of use", TimeSpan.Zero, null)));
            await SendAllAsync(scope.ServiceProvider, [.. batch.Where(message => !message.IsLate)], settlements, cancellationToken);
        }
        finally
        {
            // What was not tried, because the relay went away or the worker stops, is anybody's at once.
            var tried = settlements.Select(settlement => settlement.Message.Id).ToHashSet();
            settlements.AddRange(batch.Where(message => !tried.Contains(message.Id)).Select(message =>
                new Settlement(message, OutboxStates.Retry, null, TimeSpan.Zero, null)));
            try
            {
                await SettleAsync(owner, settlements);
            }
            finally
            {
                await renewal.CancelAsync();
                await renewing;
            }
        }

        return batch.Count;
    }

    private async Task SendAllAsync(
        IServiceProvider services, IReadOnlyList<LeasedMessage> messages, List<Settlement> settlements, CancellationToken cancellationToken)
    {
        foreach (var prepared in await services.GetRequiredService<MailPreparation>().PrepareAsync(messages, cancellationToken))
        {
            cancellationToken.ThrowIfCancellationRequested();
            if (prepared.Mail is not { } mail)
            {
                settlements.Add(new Settlement(prepared.Message, prepared.EndState, prepared.Reason, prepared.RetryIn, null));
                continue;
            }

            var report = await SendAsync(prepared.Message, mail, cancellationToken);
            if (report.Outcome == DeliveryOutcome.RelayFailed)
            {
                // The relay's trouble, not this mail's: nothing is held against any of them.
                Log.RelayFailed(logger, report.Stage, report.Reply);
                settlements.Add(new Settlement(prepared.Message, OutboxStates.Retry, report.Reply, s_relayPause, null));
                return;
            }

            settlements.Add(Judge(prepared.Message, report));
        }
    }

    private async Task<DeliveryReport> SendAsync(LeasedMessage message, OutgoingMail mail, CancellationToken cancellationToken)
    {
        // The request's trace goes on here, however long the row waited.
        _ = ActivityContext.TryParse(message.Traceparent, null, isRemote: true, out var parent);
        using var activity = WorkerTelemetry.Source.StartActivity("outbox send", ActivityKind.Consumer, parent);
        activity?.SetTag("ariya.mail.kind", message.Kind);
        activity?.SetTag("ariya.mail.attempt", message.Attempts + 1);
        var report = await transport.SendAsync(mail, cancellationToken);
        activity?.SetTag("ariya.mail.outcome", report.Outcome.ToString());
        return report;
    }

    private Settlement Judge(LeasedMessage message, DeliveryReport report) => report.Outcome switch
    {
        DeliveryOutcome.Accepted => new Settlement(message, OutboxStates.Sent, report.Reply, TimeSpan.Zero, report),
        DeliveryOutcome.Refused => new Settlement(message, OutboxStates.Dead, report.Reply, TimeSpan.Zero, report),
        _ => RetrySchedule.After(message.Attempts + 1, jitter()) is { } delay
            ? new Settlement(message, OutboxStates.Retry, report.Reply, delay, report)
            : new Settlement(message, OutboxStates.Dead, report.Reply, TimeSpan.Zero, report),
    };

    // Also when stopping, and again while the lease lasts: a mail that the relay has taken must not be sent a second time because
    // nobody wrote it down.
    private async Task SettleAsync(Guid owner, IReadOnlyList<Settlement> settlements)
    {
        var started = clock.GetTimestamp();
        while (true)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<OutboxQueue>().SettleAsync(owner, settlements, CancellationToken.None);
                return;
            }
            catch (Exception exception) when (clock.GetElapsedTime(started) < options.Value.Lease / 2)
            {
                Log.SettleFailed(logger, exception);
                await Task.Delay(s_settlePause, clock, CancellationToken.None);
            }
        }
    }

    private async Task<bool> IsRelayReadyAsync(CancellationToken cancellationToken)
    {
        var report = await transport.OpenAsync(cancellationToken);
        heartbeat.Tell(report);
        var trouble = report.Outcome == DeliveryOutcome.Accepted ? null : report.Reply;
        if (trouble != _relayTrouble)
        {
            _relayTrouble = trouble;
            Log.RelayChanged(logger, trouble ?? "answers");
        }

        return trouble is null;
    }

    private async Task RenewAsync(Guid owner, Guid[] messageIds, CancellationToken cancellationToken)
    {
        while (true)
        {
            await Task.Delay(options.Value.Lease / 3, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<OutboxQueue>()
                    .RenewAsync(owner, messageIds, options.Value.Lease, cancellationToken);
            }
            catch (Exception exception) when (!cancellationToken.IsCancellationRequested)
            {
                Log.RenewalFailed(logger, exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "A round of the outbox failed; its mails come back when their lease ends")]
        public static partial void RoundFailed(ILogger logger, Exception exception);

        [LoggerMessage(2, LogLevel.Warning, "Mail relay: {State}")]
        public static partial void RelayChanged(ILogger logger, string state);

        [LoggerMessage(3, LogLevel.Warning, "A lease was not renewed")]
        public static partial void RenewalFailed(ILogger logger, Exception exception);

        [LoggerMessage(4, LogLevel.Error, "Sent mails could not be written down; trying again")]
        public static partial void SettleFailed(ILogger logger, Exception exception);

        [LoggerMessage(5, LogLevel.Warning, "Mail relay failed at {Stage}: {Reply}")]
        public static partial void RelayFailed(ILogger logger, SmtpStage stage, string reply);
    }
}
