using Ariya.Data.Outbox;
using Ariya.Worker.Mail;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ariya.Worker.Outbox;

/// <summary>
/// Works the outbox off. Each turn is one round trip and one commit: what the relay answered is written down, rows claimed in the last turn
/// are looked up and get their links, and the next are claimed. Nothing is claimed while no relay answers, so mail waits
/// unminted and no link ages; and never more than two batches are held, however long the queue is.
/// </summary>
internal sealed partial class OutboxDispatcher(
    IServiceScopeFactory scopes, MailLanes lanes, RelayWatch relay, Heartbeat heartbeat, OutboxMetrics metrics, IOptions<OutboxOptions> options,
    Func<double> jitter, Signal signal, TimeProvider clock, ILogger<OutboxDispatcher> logger) : BackgroundService
{
    private static readonly TimeSpan s_tick = TimeSpan.FromMilliseconds(250);
    private static readonly TimeSpan s_longestWait = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_databasePause = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_slowPause = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_stopPatience = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_lastTurns = TimeSpan.FromSeconds(5);

    // Everything claimed and not yet written down; each row is also in one of the two lists below, or with the lanes.
    private readonly Dictionary<Guid, LeasedMessage> _held = [];
    private readonly List<LeasedMessage> _unprepared = [];
    private readonly List<Settlement> _unsettled = [];
    private long _claimedAt;
    private long _oldestReportAt;
    private long _failedAt;
    private long _stoppedAt;
    private bool _isWoken;
    private bool _isMoreExpected;
    private bool _isFailing;
    private int _suspects;

    private bool IsFull => _held.Count >= options.Value.BatchSize;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => RunAsync(int.MaxValue, stoppingToken);

    /// <summary>One claim and everything that comes of it.</summary>
    /// <returns>How many rows were claimed.</returns>
    internal Task<int> RunOnceAsync(CancellationToken cancellationToken) => RunAsync(1, cancellationToken);

    /// <summary>Somebody committed a mail.</summary>
    public void Wake()
    {
        Volatile.Write(ref _isWoken, true);
        signal.Set();
    }

    private async Task<int> RunAsync(int claims, CancellationToken stoppingToken)
    {
        var claimed = 0;
        _claimedAt = 0;
        // At once, not when this loop comes round: a connection that gets free would begin another mail.
        await using var stop = stoppingToken.Register(lanes.GiveBack);
        while (true)
        {
            var isStopping = stoppingToken.IsCancellationRequested;
            var isRelayReady = relay.IsReady(mayAsk: !isStopping);
            if (isStopping)
            {
                Stop();
            }

            if (isStopping || lanes.Trouble is not null)
            {
                _unprepared.ForEach(message => Add(Settlement.GiveBack(message)));
                _unprepared.Clear();
                lanes.GiveBack();
            }

            lanes.Hold(_isFailing);
            lanes.Tick(IsFull);
            Collect();
            if ((claims == 0 || isStopping) && (_held.Count == 0 || IsTooLateToSettle()))
            {
                return claimed;
            }

            var room = claims > 0 && !isStopping && isRelayReady
                ? Math.Min(options.Value.BatchSize, (2 * options.Value.BatchSize) - _held.Count + _unsettled.Count)
                : 0;
            if (IsTurnDue(room, isStopping))
            {
                if (await TakeTurnAsync(room) is { } count && room > 0)
                {
                    claims--;
                    claimed += count;
                }

                continue;
            }

            await signal.WaitAsync(TimeToNext(room), clock, isStopping ? CancellationToken.None : stoppingToken);
        }
    }

    private bool IsTurnDue(int room, bool isStopping)
    {
        if (_isFailing && clock.GetElapsedTime(_failedAt) < s_databasePause)
        {
            return false;
        }

        var isClaimDue = room > 0 && (Volatile.Read(ref _isWoken) || (_isMoreExpected && room == options.Value.BatchSize)
            || _claimedAt == 0 || clock.GetElapsedTime(_claimedAt) >= options.Value.PollInterval);
        // While the lanes have enough for the time of a turn, what was claimed waits for one that is due anyway.
        var isPreparingDue = _unprepared.Count > 0 && lanes.Waiting <= options.Value.BatchSize / 2;
        return isClaimDue || isPreparingDue || IsSettlingDue(isStopping) || ToRenew().Count > 0;
    }

    private bool IsSettlingDue(bool isStopping) => _unsettled.Count > 0
        && (_unsettled.Count >= options.Value.BatchSize || clock.GetElapsedTime(_oldestReportAt) >= options.Value.SettleAfter
            || (isStopping && !lanes.IsBusy));

    private TimeSpan TimeToNext(int room)
    {
        if (_isFailing)
        {
            return s_databasePause;
        }

        var next = room > 0 ? options.Value.PollInterval - clock.GetElapsedTime(_claimedAt) : s_tick;
        if (_held.Count > 0)
        {
            next = Shorter(next, s_tick);
        }

        if (_unsettled.Count > 0)
        {
            next = Shorter(next, options.Value.SettleAfter - clock.GetElapsedTime(_oldestReportAt));
        }

        // Also when nothing is waited for: the relay is asked now and then, and idle connections are closed.
        next = Shorter(next, s_longestWait);
        return next > TimeSpan.FromMilliseconds(1) ? next : TimeSpan.FromMilliseconds(1);

        static TimeSpan Shorter(TimeSpan a, TimeSpan b) => a < b ? a : b;
    }

    private List<LeasedMessage> ToRenew()
    {
        var soon = clock.GetTimestamp() + (long)(options.Value.Lease.TotalSeconds * 2 / 3 * clock.TimestampFrequency);
        return [.. _held.Values.Where(message => message.GoodUntil < soon && !message.IsLost)];
    }

    /// <returns>How many rows were claimed; null when the turn failed.</returns>
    private async Task<int?> TakeTurnAsync(int claim)
    {
        // One by one, and nothing with them, while a row is searched that the database chokes on.
        List<LeasedMessage> preparing = _suspects > 0 ? [.. _unprepared.Take(1)] : [.. _unprepared];
        List<Settlement> settling = _suspects > 0 ? [] : [.. _unsettled];
        claim = _suspects > 0 ? 0 : claim;
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            var lookups = scope.ServiceProvider.GetRequiredService<MailPreparation>().LookUp(preparing);
            if (claim > 0)
            {
                Volatile.Write(ref _isWoken, false);
            }

            // Not tied to stopping: what the relay took must be written down. The connection's own time-outs bound it.
            var claimed = await scope.ServiceProvider.GetRequiredService<OutboxQueue>().TakeTurnAsync(
                new OutboxTurn { Settle = settling, Renew = ToRenew(), Look = [.. lookups.Select(lookup => lookup.Ask).OfType<Data.SqlStep>()], Claim = claim },
                options.Value.Lease, CancellationToken.None);
            Settled(settling);
            _unprepared.RemoveRange(0, preparing.Count);
            _suspects = Math.Max(0, _suspects - 1);
            Prepared([.. lookups.SelectMany(lookup => lookup.Finish())]);
            Claimed(claimed, claim);
            _isFailing = false;
            return claimed.Count;
        }
        catch (Exception exception)
        {
            TurnFailed(exception, preparing, settling.Count);
            return null;
        }
    }

    private void Settled(List<Settlement> settlements)
    {
        _unsettled.RemoveRange(0, settlements.Count);
        _oldestReportAt = clock.GetTimestamp();
        foreach (var settlement in settlements)
        {
            _held.Remove(settlement.Message.Id);
            metrics.Settled(settlement);
            if (settlement.State == OutboxStates.Dead)
            {
                Log.Dead(logger, settlement.Message.Id, settlement.Message.Kind, settlement.Attempt?.ReplyCode ?? "no reply");
            }
        }
    }

    private void Prepared(List<PreparedMail> prepared)
    {
        foreach (var end in prepared.Select(mail => mail.End).OfType<Settlement>())
        {
            Add(end);
        }

        lanes.Offer(prepared.Where(mail => mail.Mail is not null));
    }

    private void Claimed(IReadOnlyList<LeasedMessage> claimed, int limit)
    {
        if (limit == 0)
        {
            return;
        }

        _claimedAt = clock.GetTimestamp();
        _isMoreExpected = claimed.Count == limit;
        var more = new Dictionary<string, int>();
        foreach (var message in claimed)
        {
            if (_held.TryGetValue(message.Id, out var held))
            {
                // Its lease ended while the database was away, and it is still in hand here: it goes on under the new one.
                (held.Owner, held.GoodUntil, held.IsLost) = (message.Owner, message.GoodUntil, false);
                continue;
            }

            _held.Add(message.Id, message);
            var before = more.GetValueOrDefault(message.Domain);
            if (message.IsLate)
            {
                Add(Settlement.End(message, OutboxStates.Expired, "too late to be of use"));
            }
            else if (IsFull && lanes.IsCrowded(message.Domain, before))
            {
                Add(Settlement.GiveBack(message, CrowdPause()));
            }
            else
            {
                more[message.Domain] = before + 1;
                _unprepared.Add(message);
            }
        }
    }

    private void Collect()
    {
        foreach (var (message, delivery, isCrowdedOut) in lanes.TakeReports())
        {
            if (delivery is null)
            {
                Add(Settlement.GiveBack(message, isCrowdedOut ? CrowdPause() : TimeSpan.Zero));
                continue;
            }

            metrics.Attempted(message.Kind, delivery);
            heartbeat.Tell(delivery);
            Add(Settlement.Of(message, delivery, clock.GetUtcNow() - message.CreatedAt, jitter()));
        }
    }

    private TimeSpan CrowdPause() => s_slowPause * (0.8 + (0.4 * jitter()));

    private void Add(Settlement settlement)
    {
        if (_unsettled.Count == 0)
        {
            _oldestReportAt = clock.GetTimestamp();
        }

        _unsettled.Add(settlement);
    }

    private void TurnFailed(Exception exception, List<LeasedMessage> preparing, int settling)
    {
        _failedAt = clock.GetTimestamp();
        var fault = preparing.Count > 0 ? FaultOfValues(exception) : null;
        if (fault is not null && _suspects > 0)
        {
            _suspects--;
            _unprepared.Remove(preparing[0]);
            Add(PreparedMail.Fail(preparing[0], fault).End!);
            return;
        }

        _suspects = fault is not null ? preparing.Count : _suspects;
        if (!_isFailing)
        {
            _isFailing = true;
            Log.TurnFailed(logger, exception, settling, _held.Count);
        }
    }

    /// <summary>
    /// The SQLSTATE of an error that some row's values make (class 22 and 23). Anything else, a name that does not resolve too, is the
    /// database's trouble: it passes, and no mail may die of it.
    /// </summary>
    internal static string? FaultOfValues(Exception exception) =>
        exception is PostgresException { SqlState: ['2', '2' or '3', ..] sqlState } ? sqlState : null;

    private void Stop()
    {
        if (_stoppedAt == 0)
        {
            _stoppedAt = clock.GetTimestamp();
        }
        else if (clock.GetElapsedTime(_stoppedAt) >= s_stopPatience)
        {
            // A mail whose content was sent is unknown now and comes again: a copy is better than a loss.
            lanes.Abort();
        }
    }

    // With the database away there is nowhere to write to; the lease ends by itself.
    private bool IsTooLateToSettle() => _stoppedAt != 0 && _isFailing && clock.GetElapsedTime(_stoppedAt) >= s_stopPatience + s_lastTurns;

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "A turn of the outbox failed; trying again. To be written down: {Settling} mails, held: {Held}")]
        public static partial void TurnFailed(ILogger logger, Exception exception, int settling, int held);

        [LoggerMessage(2, LogLevel.Warning, "Mail {MessageId} ({Kind}) is dead: {Reply}")]
        public static partial void Dead(ILogger logger, Guid messageId, string kind, string reply);
    }
}
