using Ariya.Api.Limits;
using Ariya.Data;

namespace Ariya.Api.Health;

/// <summary>
/// Asks PostgreSQL and Redis every second and keeps the answers, so that a report costs nothing and waits for nobody. What the
/// worker knows it writes into the database; one statement reads all of it.
/// </summary>
internal sealed partial class HealthProbe : BackgroundService
{
    // Together below the greatest age that a report may have.
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_patience = TimeSpan.FromMilliseconds(700);
    private static readonly TimeSpan s_greatestAge = TimeSpan.FromSeconds(2);

    private static readonly Bucket s_redisQuestion = new("health", "ariya:health", int.MaxValue, TimeSpan.FromSeconds(1), IsShown: false, Counted.Always);

    private readonly IServiceProvider _services;
    private readonly SharedCounter _counter;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly Question<WorkerNews> _database;
    private readonly Question<bool> _redis;
    private readonly long _startedAt;
    private TaskCompletionSource _nextReading = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private volatile Reading? _last;

    public HealthProbe(IServiceProvider services, SharedCounter counter, TimeProvider clock, ILogger<HealthProbe> logger)
    {
        _services = services;
        _counter = counter;
        _clock = clock;
        _logger = logger;
        _startedAt = clock.GetTimestamp();
        _database = new Question<WorkerNews>(AskDatabaseAsync, clock);
        _redis = new Question<bool>(AskRedisAsync, clock);
    }

    public TimeSpan Uptime => _clock.GetElapsedTime(_startedAt);

    /// <summary>What was found at most 2 s ago; after a wait of less than a second for it, nothing.</summary>
    public async Task<HealthChecksBody> CurrentAsync(CancellationToken cancellationToken)
    {
        var next = Volatile.Read(ref _nextReading).Task;
        if (Fresh() is { } checks)
        {
            return checks;
        }

        await next.WaitAsync(s_patience, _clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return Fresh() ?? HealthChecksBody.Judge(null, null);
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var status = "";
        while (!stoppingToken.IsCancellationRequested)
        {
            var startedAt = _clock.GetTimestamp();
            var pause = Task.Delay(s_interval, _clock, stoppingToken);
            var redis = _redis.AskAsync(s_patience);
            var checks = HealthChecksBody.Judge(await _database.AskAsync(s_patience), await redis);
            _last = new Reading(startedAt, checks);
            Interlocked.Exchange(ref _nextReading, new(TaskCreationOptions.RunContinuationsAsynchronously)).SetResult();
            if (checks.Status != status)
            {
                status = checks.Status;
                Log.Changed(_logger, status, checks.Database.Status, checks.Redis.Status, checks.Smtp.Status, checks.Outbox.Status);
            }

            await pause.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private HealthChecksBody? Fresh() => _last is { } last && _clock.GetElapsedTime(last.StartedAt) < s_greatestAge ? last.Checks : null;

    // The heartbeat of a worker that reaches the relay counts before a younger one of a worker that does not.
    private async Task<WorkerNews> AskDatabaseAsync()
    {
        await using var scope = _services.CreateAsyncScope();
        var news = await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().QueryFirstAsync(
            $"""
             select w.relay_state, w.relay_latency_ms, extract(epoch from clock_timestamp() - w.at)::int as age,
                    extract(epoch from clock_timestamp() - w.relay_contact_at)::int as contact_age, o.overdue
             from (select 1) one
             left join lateral (
               select * from worker_heartbeats
               order by at > clock_timestamp() - {WorkerNews.Stale} and relay_state = 'answers' desc, at desc limit 1) w on true
             left join lateral (
               select extract(epoch from clock_timestamp() - due_at)::int as overdue from outbox_messages
               where state in ('pending', 'retry', 'leased') and due_at <= clock_timestamp() order by due_at limit 1) o on true
             """,
            row => new WorkerNews(
                row.GetNullable<string>("relay_state"), row.GetNullable<int?>("relay_latency_ms"), row.GetNullable<int?>("age"),
                row.GetNullable<int?>("contact_age"), row.GetNullable<int?>("overdue")),
            CancellationToken.None);
        return news!;
    }

    // With what the limits ask of it, a write: one that is full or read-only does not count.
    private async Task<bool> AskRedisAsync() =>
        await _counter.SpendAsync([s_redisQuestion]) is not null ? true : throw new TimeoutException("Redis does not answer.");

    private sealed record Reading(long StartedAt, HealthChecksBody Checks);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Health is {Status}: database {Database}, Redis {Redis}, SMTP {Smtp}, outbox {Outbox}")]
        public static partial void Changed(ILogger logger, string status, string database, string redis, string smtp, string outbox);
    }
}
