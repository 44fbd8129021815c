using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

internal static class EndAccountSessions
{
    /// <summary>Signs an account out everywhere, within 2 s on every instance. Its password stays good.</summary>
    public static async Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, AriyaDatabase db, CancellationToken cancellationToken)
    {
        // The account's row first: a sign-in that is under way is waited for, and its session ended too.
        var found = await db.QueryBatchAsync(
            [
                $"select 1 from accounts where id = {id} for no key update",
                $"""
                 with a as (select id from accounts where id = {id}),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'ended_by_admin' from a
                   where x.account_id = a.id and x.revoked_at is null)
                 {AdminAudit.Event(AuditKinds.AccountSessionsEnded, admin, client, $"a.id", $"from a")}
                 """,
            ],
            row => row.GetInt32(0), cancellationToken);
        return found.Count == 0 ? Problem.NotFound() : TypedResults.NoContent();
    }
}
