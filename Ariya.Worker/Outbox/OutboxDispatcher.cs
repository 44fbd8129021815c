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
    IServiceScopeFactory scopes, IMailTransport transport, IOptions<OutboxOptions> options, Func<double> jitter, TimeProvider clock,
    ILogger<OutboxDispatcher> logger) : BackgroundService
{
    private static readonly TimeSpan s_relayPause = TimeSpan.FromSeconds(5);

    private readonly Guid _owner = Guid.CreateVersion7();
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
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception exception)
            {
                // The database is away or answered an error: what was claimed comes back when its lease ends.
                Log.RoundFailed(logger, exception);
                pause = s_relayPause;
            }

            await Task.Delay(pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One batch, whole.</summary>
    /// <returns>How many rows were claimed.</returns>
    internal async Task<int> RunOnceAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var queue = scope.ServiceProvider.GetRequiredService<OutboxQueue>();
        var batch = await queue.ClaimAsync(_owner, options.Value.BatchSize, options.Value.Lease, cancellationToken);
        if (batch.Count == 0)
        {
            return 0;
        }

        using var renewal = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var renewing = RenewAsync(renewal.Token);
        var settlements = new List<Settlement>(batch.Count);
        try
        {
            settlements.AddRange(batch.Where(message => message.IsLate).Select(Expired));
            var waiting = batch.Where(message => !message.IsLate).ToList();
            foreach (var prepared in await scope.ServiceProvider.GetRequiredService<MailPreparation>().PrepareAsync(waiting, cancellationToken))
            {
                settlements.Add(await SendAsync(prepared, cancellationToken));
            }
        }
        finally
        {
            await renewal.CancelAsync();
            await renewing;
            // Also when stopping: a mail that the relay has taken must not be sent again because nobody wrote it down.
            await queue.SettleAsync(_owner, settlements, CancellationToken.None);
        }

        return batch.Count;
    }

    private async Task<Settlement> SendAsync(PreparedMail prepared, CancellationToken cancellationToken)
    {
        if (prepared.Mail is not { } mail)
        {
            return new Settlement(prepared.Message, OutboxStates.Dropped, prepared.DropReason, TimeSpan.Zero, null);
        }

        // The request's trace goes on here, however long the row waited.
        _ = ActivityContext.TryParse(prepared.Message.Traceparent, null, isRemote: true, out var parent);
        using var activity = WorkerTelemetry.Source.StartActivity("outbox send", ActivityKind.Consumer, parent);
        activity?.SetTag("ariya.mail.kind", prepared.Message.Kind);
        activity?.SetTag("ariya.mail.attempt", prepared.Message.Attempts);

        var report = await transport.SendAsync(mail, cancellationToken);
        activity?.SetTag("ariya.mail.outcome", report.Outcome.ToString());
        return report.Outcome switch
        {
            DeliveryOutcome.Accepted => new Settlement(prepared.Message, OutboxStates.Sent, report.Reply, TimeSpan.Zero, report),
            DeliveryOutcome.Refused => new Settlement(prepared.Message, OutboxStates.Dead, report.Reply, TimeSpan.Zero, report),
            DeliveryOutcome.Deferred or DeliveryOutcome.Unknown => Retry(prepared.Message, report),
            // The relay's trouble, not the mail's: it is not held against the message.
            DeliveryOutcome.RelayFailed => new Settlement(prepared.Message, OutboxStates.Retry, report.Reply, s_relayPause, report),
        };
    }

    private Settlement Retry(LeasedMessage message, DeliveryReport report)
    {
        return RetrySchedule.After(message.Attempts, jitter()) is { } delay
            ? new Settlement(message, OutboxStates.Retry, report.Reply, delay, report)
            : new Settlement(message, OutboxStates.Dead, report.Reply, TimeSpan.Zero, report);
    }

    private static Settlement Expired(LeasedMessage message) => new(message, OutboxStates.Expired, "too late to be of use", TimeSpan.Zero, null);

    private async Task<bool> IsRelayReadyAsync(CancellationToken cancellationToken)
    {
        var report = await transport.OpenAsync(cancellationToken);
        var trouble = report.Outcome == DeliveryOutcome.Accepted ? null : report.Reply;
        if (trouble != _relayTrouble)
        {
            _relayTrouble = trouble;
            Log.RelayChanged(logger, trouble ?? "answers");
        }

        return trouble is null;
    }

    private async Task RenewAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            await Task.Delay(options.Value.Lease / 3, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (cancellationToken.IsCancellationRequested)
            {
                return;
            }

            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<OutboxQueue>().RenewAsync(_owner, options.Value.Lease, cancellationToken);
            }
            catch (Exception exception) when (exception is not OperationCanceledException)
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
    }
}
