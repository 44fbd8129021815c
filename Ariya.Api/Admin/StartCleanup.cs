using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Ariya.Data.Schedules;

namespace Ariya.Api.Admin;

/// <summary>A clean-up that was asked for.</summary>
/// <param name="RequestedAt">When; earlier than this request if somebody asked before and no run has begun since.</param>
public sealed record CleanupStarted(DateTimeOffset RequestedAt);

internal sealed class StartCleanup(AriyaDatabase db, IdempotentWork work)
{
    /// <summary>Has a worker remove what is past its retention, beside its schedule, within a second or two. One that is running is followed by another.</summary>
    public static Task<IResult> HandleAsync(Caller admin, ClientInfo client, Admission admission, StartCleanup start, CancellationToken cancellationToken) =>
        admission.RunAsync(admin.Account.Id.ToString(), new { }, () => start.RequestAsync(admin, client, cancellationToken), cancellationToken);

    private async Task<IResult> RequestAsync(Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var requestedAt = (await work.DoAsync(() => db.QueryBatchAsync(
            [
                AdminAudit.Event(AuditKinds.CleanupRequested, admin, client),
                $"""
                 insert into scheduled_runs (name, done_until, requested_at) values ({ScheduledRun.Cleanup}, 'epoch', clock_timestamp())
                 on conflict (name) do update set requested_at = coalesce(scheduled_runs.requested_at, excluded.requested_at)
                 returning requested_at
                 """,
            ],
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken), cancellationToken)).Single();
        return TypedResults.Json(new CleanupStarted(requestedAt), statusCode: StatusCodes.Status202Accepted);
    }
}
