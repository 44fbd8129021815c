using System.Collections.Concurrent;
using System.Collections.Frozen;
using Ariya.Data;

namespace Ariya.Api.Sessions;

/// <summary>
/// Tokens that were checked, with the caller they stand for, so that a warm token costs no SQL. An entry counts only while this
/// process knows what has changed: every second it reads which sessions ended and which accounts changed in the last 30 s,
/// and without such a read started less than 2 s ago PostgreSQL is asked. So an ended session is refused within 2 s on every
/// instance, and nothing that Redis says or loses matters.
/// </summary>
internal sealed class CallerCache(TimeProvider clock)
{
    private const int MaxEntries = 10_000;
    private static readonly TimeSpan s_fresh = TimeSpan.FromSeconds(2);

    private readonly ConcurrentDictionary<string, Entry> _entries = [];
    private volatile Known _known = new(0, FrozenSet<Guid>.Empty, IsGood: false);

    public Caller? Find(string token)
    {
        var known = _known;
        return known.IsGood && clock.GetElapsedTime(known.StartedAt) < s_fresh
            && _entries.TryGetValue(token, out var entry)
            && entry.ExpiresAt > clock.GetUtcNow()
            && !known.Changed.Contains(entry.Caller.SessionId) && !known.Changed.Contains(entry.Caller.Account.Id)
                ? entry.Caller
                : null;
    }

    public void Keep(string token, DateTimeOffset expiresAt, Caller caller)
    {
        // A full cache is rather emptied than searched for its oldest: it fills again with the tokens in use.
        if (_entries.Count >= MaxEntries)
        {
            _entries.Clear();
        }

        _entries[token] = new Entry(expiresAt, caller);
    }

    public void Forget(string token) => _entries.TryRemove(token, out _);

    /// <summary>Whoever changed an account through this process reads the change at once, not when the next read tells of it.</summary>
    public void ForgetAccount(Guid accountId)
    {
        foreach (var (token, entry) in _entries)
        {
            if (entry.Caller.Account.Id == accountId)
            {
                _entries.TryRemove(token, out _);
            }
        }
    }

    /// <param name="startedAt">Timestamp from before the read.</param>
    /// <param name="changed">Sessions that ended and accounts that changed lately.</param>
    public void Learn(long startedAt, FrozenSet<Guid> changed)
    {
        _known = new Known(startedAt, changed, IsGood: true);
        if (changed.Count == 0)
        {
            return;
        }

        foreach (var (token, entry) in _entries)
        {
            if (changed.Contains(entry.Caller.SessionId) || changed.Contains(entry.Caller.Account.Id))
            {
                _entries.TryRemove(token, out _);
            }
        }
    }

    /// <summary>What has changed is not known any more: nothing that is held counts.</summary>
    public void ForgetAll()
    {
        _known = new Known(0, FrozenSet<Guid>.Empty, IsGood: false);
        _entries.Clear();
    }

    private sealed record Entry(DateTimeOffset ExpiresAt, Caller Caller);

    private sealed record Known(long StartedAt, FrozenSet<Guid> Changed, bool IsGood);
}

/// <summary>Reads every second what ended or changed, for <see cref="CallerCache"/>.</summary>
internal sealed partial class ChangeWatch(IServiceScopeFactory scopes, CallerCache cache, TimeProvider clock, ILogger<ChangeWatch> logger)
    : BackgroundService
{
    private const int MaxChanges = 10_000;
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);

    // A change is visible at its commit and dated before it: the window must outlast the longest transaction, which the
    // statement time-outs hold well below it.
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_blind = TimeSpan.FromSeconds(20);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var lastGood = clock.GetTimestamp();
        var isFailing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                var started = clock.GetTimestamp();
                await ReadAsync(started, stoppingToken);
                lastGood = started;
                isFailing = false;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isFailing)
                {
                    Log.Failing(logger, exception);
                    isFailing = true;
                }

                if (clock.GetElapsedTime(lastGood) > s_blind)
                {
                    cache.ForgetAll();
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(s_interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ReadAsync(long started, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        // now() and not clock_timestamp(), which no index can be searched with: it would walk through every account each second.
        var changed = await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().QueryAsync(
            $"""
             (select id from sessions where revoked_at > now() - {s_window} limit {MaxChanges + 1})
             union all
             (select id from accounts where updated_at > now() - {s_window} limit {MaxChanges + 1})
             """,
            row => row.GetGuid(0), cancellationToken);
        if (changed.Count > MaxChanges)
        {
            cache.ForgetAll();
        }
        else
        {
            cache.Learn(started, changed.ToFrozenSet());
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Ended sessions cannot be read; every request asks PostgreSQL until they can")]
        public static partial void Failing(ILogger logger, Exception exception);
    }
}
