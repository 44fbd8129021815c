using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Accounts;

internal static class EndSession
{
    /// <summary>Ends one of the caller's own sessions; another account's is as unknown as one that never was.</summary>
    public static async Task<IResult> HandleAsync(
        Guid id, Caller caller, ClientInfo client, AriyaDatabase db, CancellationToken cancellationToken)
    {
        var ended = await db.ExecuteAsync(
            $"""
             with s as (
               update sessions set revoked_at = clock_timestamp(), revoked_reason = 'ended_by_owner'
               where id = {id} and account_id = {caller.Account.Id} and revoked_at is null
               returning id)
             insert into audit_events (id, kind, account_id, session_id, network, user_agent)
             select {Guid.CreateVersion7()}, {AuditKinds.SessionEnded}, {caller.Account.Id}, s.id, {client.Network}, {client.UserAgent} from s
             """,
            cancellationToken);
        return ended == 0 ? Problem.NotFound() : TypedResults.NoContent();
    }
}
