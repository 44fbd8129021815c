using System.Text.Json;
using Ariya.Data;
using Ariya.Data.Schedules;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Admin;

/// <summary>How the clean-up goes.</summary>
/// <param name="RequestedAt">Somebody asked for a run and none has begun since; null otherwise.</param>
/// <param name="IsRunning">Whether a worker is at it.</param>
/// <param name="FinishedAt">When the last run ended; null before the first.</param>
/// <param name="Removed">How many rows it removed.</param>
/// <param name="RemovedBySteps">The same by what was removed.</param>
public sealed record CleanupReport(
    DateTimeOffset? RequestedAt, bool IsRunning, DateTimeOffset? FinishedAt, long Removed, IReadOnlyDictionary<string, long> RemovedBySteps);

internal static class ReadCleanup
{
    /// <summary>When the last clean-up of the schedule or of an operator was, and what it removed. Those of the command line are not in it.</summary>
    public static async Task<Ok<CleanupReport>> HandleAsync(AriyaDatabase db, CancellationToken cancellationToken)
    {
        var report = await db.QueryFirstAsync(
            $"""
             select requested_at, coalesce(lease_until > clock_timestamp(), false) as is_running, finished_at, removed, removed_by_steps
             from scheduled_runs where name = {ScheduledRun.Cleanup}
             """,
            row => new CleanupReport(
                row.GetNullable<DateTimeOffset?>("requested_at"), row.Get<bool>("is_running"), row.GetNullable<DateTimeOffset?>("finished_at"),
                row.Get<long>("removed"), JsonSerializer.Deserialize<Dictionary<string, long>>(row.Get<string>("removed_by_steps"))!),
            cancellationToken);
        return TypedResults.Ok(report ?? new CleanupReport(null, false, null, 0, new Dictionary<string, long>()));
    }
}
