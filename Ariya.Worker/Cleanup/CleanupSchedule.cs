using System.Text.Json;
using Ariya.Data;
using Ariya.Data.Schedules;
using Cronos;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Cleanup;

/// <summary>
/// Runs the clean-up when its schedule says so, or when somebody asks for it. The row of the schedule is what several workers agree by: one runs, one that was
/// cut short is taken over when its lease ends, and a moment that nobody was there for is made up, once.
/// </summary>
internal sealed partial class CleanupSchedule(
    IServiceScopeFactory scopes, IOptions<CleanupOptions> options, IOptions<RetentionOptions> retention, TimeProvider clock,
    ILogger<CleanupSchedule> logger) : BackgroundService
{
    private static readonly TimeSpan s_lease = TimeSpan.FromMinutes(5);
    // Also the longest that a changed clock or a lease of somebody else goes unnoticed.
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(1);
    // The longest that somebody who asks for a run waits for it to begin.
    private static readonly TimeSpan s_look = TimeSpan.FromSeconds(1);

    private readonly CronExpression _schedule = CronExpression.Parse(options.Value.Schedule);
    private readonly TimeZoneInfo _zone = TimeZoneInfo.FindSystemTimeZoneById(options.Value.TimeZone);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            var wait = s_longestWait;
            try
            {
                wait = await FollowAsync(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Taken up again when the lease ends, by whoever is there.
                Log.Failed(logger, exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await WaitAsync(wait, stoppingToken);
        }
    }

    // Cut short when somebody asks. After a failure, and while another worker has the lease, that is seen again a second later at the earliest.
    private async Task WaitAsync(TimeSpan wait, CancellationToken stoppingToken)
    {
        var started = clock.GetTimestamp();
        for (var left = wait; left > TimeSpan.Zero && !stoppingToken.IsCancellationRequested; left = wait - clock.GetElapsedTime(started))
        {
            await Task.Delay(left < s_look ? left : s_look, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                var asked = await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().QueryAsync(
                    $"""
                     select 1 from scheduled_runs
                     where name = {ScheduledRun.Cleanup} and requested_at is not null and (lease_until is null or lease_until < clock_timestamp())
                     """,
                    row => row.GetInt32(0), stoppingToken);
                if (asked.Count > 0)
                {
                    return;
                }
            }
            catch (Exception) when (!stoppingToken.IsCancellationRequested)
            {
                // Following the schedule tells the same trouble.
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    /// <summary>Runs if a moment of the schedule has come that nobody dealt with.</summary>
    /// <returns>How long to wait before looking again.</returns>
    internal async Task<TimeSpan> FollowAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<AriyaDatabase>();
        var now = clock.GetUtcNow();
        var (doneUntil, requestedAt) = await LookAsync(db, now, cancellationToken);
        if (requestedAt is null)
        {
            if (_schedule.GetNextOccurrence(doneUntil, _zone) is not { } next)
            {
                return s_longestWait;
            }

            if (next > now)
            {
                return next - now < s_longestWait ? next - now : s_longestWait;
            }
        }

        if (!await TakeAsync(db, doneUntil, cancellationToken))
        {
            return s_longestWait;
        }

        var renewedAt = clock.GetTimestamp();
        var bySteps = new Dictionary<string, long>();
        var removed = await scope.ServiceProvider.GetRequiredService<CleanupRun>().RunAsync(
            CleanupSteps.All(retention.Value),
            async progress =>
            {
                if (progress is { IsDone: true, Removed: > 0 })
                {
                    bySteps[progress.Step] = progress.Removed;
                    Log.Removed(logger, progress.Removed, progress.Step);
                }

                if (clock.GetElapsedTime(renewedAt) > s_lease / 3)
                {
                    renewedAt = clock.GetTimestamp();
                    await db.ExecuteAsync(
                        $"update scheduled_runs set lease_until = clock_timestamp() + {s_lease} where name = {ScheduledRun.Cleanup}", cancellationToken);
                }
            },
            cancellationToken);
        await db.ExecuteAsync(
            $"""
             update scheduled_runs
             set done_until = {now}, lease_until = null, finished_at = clock_timestamp(), removed = {removed},
                 removed_by_steps = {JsonSerializer.Serialize(bySteps)}::jsonb,
                 -- Who asked while it ran asked for what it may have passed by.
                 requested_at = case when requested_at > {requestedAt ?? DateTimeOffset.UnixEpoch} then requested_at end
             where name = {ScheduledRun.Cleanup} and done_until <= {now}
             """,
            cancellationToken);
        Log.Done(logger, removed);
        return TimeSpan.Zero;
    }

    // A new deployment has nothing to make up.
    private static async Task<(DateTimeOffset DoneUntil, DateTimeOffset? RequestedAt)> LookAsync(
        AriyaDatabase db, DateTimeOffset now, CancellationToken cancellationToken) =>
        await db.QueryFirstAsync(
            $"""
             with i as (
               insert into scheduled_runs (name, done_until) values ({ScheduledRun.Cleanup}, {now}) on conflict (name) do nothing
               returning done_until, requested_at)
             select done_until, requested_at from i
             union all select done_until, requested_at from scheduled_runs where name = {ScheduledRun.Cleanup} limit 1
             """,
            row => (row.Get<DateTimeOffset>("done_until"), row.GetNullable<DateTimeOffset?>("requested_at")), cancellationToken);

    private static async Task<bool> TakeAsync(AriyaDatabase db, DateTimeOffset doneUntil, CancellationToken cancellationToken) =>
        await db.ExecuteAsync(
            $"""
             update scheduled_runs set lease_until = clock_timestamp() + {s_lease}
             where name = {ScheduledRun.Cleanup} and done_until = {doneUntil} and (lease_until is null or lease_until < clock_timestamp())
             """,
            cancellationToken) == 1;

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The clean-up failed; it is tried again")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(2, LogLevel.Information, "Clean-up: {Count} {What} removed")]
        public static partial void Removed(ILogger logger, long count, string what);

        [LoggerMessage(3, LogLevel.Information, "Clean-up done: {Count} rows removed")]
        public static partial void Done(ILogger logger, long count);
    }
}
