using Ariya.Api.Http;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Accounts;

internal static class EndOtherSessions
{
    /// <summary>Ends every session of the account but the caller's.</summary>
    public static async Task<NoContent> HandleAsync(Caller caller, ClientInfo client, AriyaDatabase db, CancellationToken cancellationToken)
    {
        await db.ExecuteAsync(
            $"""
             with s as (
               update sessions set revoked_at = clock_timestamp(), revoked_reason = 'ended_by_owner'
               where account_id = {caller.Account.Id} and id <> {caller.SessionId} and revoked_at is null
               returning id)
             insert into audit_events (id, kind, account_id, session_id, network, user_agent, detail)
             select {Guid.CreateVersion7()}, {AuditKinds.OtherSessionsEnded}, {caller.Account.Id}, {caller.SessionId}, {client.Network},
                    {client.UserAgent}, count(*)::text
             from s
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }
}
