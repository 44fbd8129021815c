using Ariya.Data;
using Ariya.Data.Schedules;
using Cronos;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Cleanup;

/// <summary>
/// Runs the clean-up when its schedule says so. The row of the schedule is what several workers agree by: one runs, one that was
/// cut short is taken over when its lease ends, and a moment that nobody was there for is made up, once.
/// </summary>
internal sealed partial class CleanupSchedule(
    IServiceScopeFactory scopes, IOptions<CleanupOptions> options, IOptions<RetentionOptions> retention, TimeProvider clock,
    ILogger<CleanupSchedule> logger) : BackgroundService
{
    private static readonly TimeSpan s_lease = TimeSpan.FromMinutes(5);
    // Also the longest that a changed clock or a lease of somebody else goes unnoticed.
    private static readonly TimeSpan s_longestWait = TimeSpan.FromMinutes(1);

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

            await Task.Delay(wait, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Runs if a moment of the schedule has come that nobody dealt with.</summary>
    /// <returns>How long to wait before looking again.</returns>
    internal async Task<TimeSpan> FollowAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<AriyaDbContext>();
        var now = clock.GetUtcNow();
        var doneUntil = await DoneUntilAsync(db, now, cancellationToken);
        if (_schedule.GetNextOccurrence(doneUntil, _zone) is not { } next)
        {
            return s_longestWait;
        }

        if (next > now)
        {
            return next - now < s_longestWait ? next - now : s_longestWait;
        }

        if (!await TakeAsync(db, doneUntil, cancellationToken))
        {
            return s_longestWait;
        }

        var renewedAt = clock.GetTimestamp();
        var removed = await scope.ServiceProvider.GetRequiredService<CleanupRun>().RunAsync(
            CleanupSteps.All(retention.Value),
            async progress =>
            {
                if (progress is { IsDone: true, Removed: > 0 })
                {
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
             update scheduled_runs set done_until = {now}, lease_until = null, finished_at = clock_timestamp(), removed = {removed}
             where name = {ScheduledRun.Cleanup} and done_until < {now}
             """,
            cancellationToken);
        Log.Done(logger, removed);
        return TimeSpan.Zero;
    }

    // A new deployment has nothing to make up.
    private static async Task<DateTimeOffset> DoneUntilAsync(AriyaDbContext db, DateTimeOffset now, CancellationToken cancellationToken) =>
        await db.QueryFirstAsync(
            $"""
             with i as (
               insert into scheduled_runs (name, done_until) values ({ScheduledRun.Cleanup}, {now}) on conflict (name) do nothing returning done_until)
             select done_until from i union all select done_until from scheduled_runs where name = {ScheduledRun.Cleanup} limit 1
             """,
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);

    private static async Task<bool> TakeAsync(AriyaDbContext db, DateTimeOffset doneUntil, CancellationToken cancellationToken) =>
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
