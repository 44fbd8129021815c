using Ariya.Api.Http;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Accounts.Avatars;

internal static class DeleteAvatar
{
    /// <summary>Removes the caller's picture, if there is one.</summary>
    public static async Task<NoContent> HandleAsync(Caller caller, ClientInfo client, AriyaDatabase db, CancellationToken cancellationToken)
    {
        await db.ExecuteAsync(
            $"""
             with p as (delete from avatars where account_id = {caller.Account.Id} returning account_id)
             insert into audit_events (id, kind, account_id, session_id, network, user_agent)
             select {Guid.CreateVersion7()}, {AuditKinds.AvatarRemoved}, p.account_id, {caller.SessionId}, {client.Network}, {client.UserAgent} from p
             """,
            cancellationToken);
        return TypedResults.NoContent();
    }
}
