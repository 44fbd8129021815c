using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>Writes every 5 s that this worker lives and how it finds the relay, for the API's health report.</summary>
internal sealed partial class Heartbeat(
    IServiceScopeFactory scopes, OutboxMetrics metrics, TimeProvider clock, ILogger<Heartbeat> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    private readonly Guid _workerId = Guid.CreateVersion7();
    private volatile Relay _relay = new(RelayStates.Away, null, null);

    /// <summary>Takes note of how the relay answered just now.</summary>
    public void Tell(DeliveryReport report)
    {
        var isFailure = report.Outcome is DeliveryOutcome.RelayFailed or DeliveryOutcome.Unknown;
        if (!isFailure)
        {
            // Of a mail's time a part is the relay's work; a greeting's is the way there and back.
            var latency = report.Stage == SmtpStage.Connect ? (int)report.Duration.TotalMilliseconds : _relay.LatencyMs;
            _relay = new Relay(RelayStates.Answers, latency, clock.GetTimestamp());
        }
        else if (report is { Outcome: DeliveryOutcome.RelayFailed, Stage: <= SmtpStage.Mail })
        {
            _relay = _relay with { State = RelayStates.Away };
        }
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isFailing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await WriteAsync(stoppingToken);
                isFailing = false;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isFailing)
                {
                    Log.NotWritten(logger, exception);
                    isFailing = true;
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(s_interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>One heartbeat. Rows of workers that are long gone go with it, and the age of the queue comes back.</summary>
    internal async Task WriteAsync(CancellationToken cancellationToken)
    {
        var relay = _relay;
        var sinceContact = relay.ContactAt is { } contactAt ? clock.GetElapsedTime(contactAt) : (TimeSpan?)null;
        await using var scope = scopes.CreateAsyncScope();
        var oldestDue = await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().QueryFirstAsync(
            $"""
             with gone as (delete from worker_heartbeats where at < clock_timestamp() - interval '1 day')
             insert into worker_heartbeats (worker_id, at, relay_state, relay_latency_ms, relay_contact_at)
             values ({_workerId}, clock_timestamp(), {relay.State}, {relay.LatencyMs}::int, clock_timestamp() - {sinceContact}::interval)
             on conflict (worker_id) do update
               set at = excluded.at, relay_state = excluded.relay_state, relay_latency_ms = excluded.relay_latency_ms,
                   relay_contact_at = excluded.relay_contact_at
             returning coalesce(
               (select clock_timestamp() - due_at from outbox_messages
                where state in ('pending', 'retry', 'leased') and due_at <= now() order by due_at limit 1), interval '0')
             """,
            row => row.GetTimeSpan(0), cancellationToken);
        metrics.OldestDue(oldestDue);
    }

    private sealed record Relay(string State, int? LatencyMs, long? ContactAt);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The heartbeat was not written; health reports show this worker as away until it is")]
        public static partial void NotWritten(ILogger logger, Exception exception);
    }
}
