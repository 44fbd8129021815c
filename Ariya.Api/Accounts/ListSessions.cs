using Ariya.Api.Sessions;
using Ariya.Data;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Accounts;

/// <summary>Where the account is signed in.</summary>
/// <param name="Sessions">The newest first.</param>
public sealed record SessionsResponse(IReadOnlyList<SessionBody> Sessions);

/// <summary>One signed-in device.</summary>
/// <param name="Id">To end it with.</param>
/// <param name="Current">Whether this request belongs to it.</param>
/// <param name="CreatedAt">When it signed in.</param>
/// <param name="LastUsedAt">When it last refreshed.</param>
/// <param name="UserAgent">As it introduced itself.</param>
/// <param name="Ip">The network it signed in from, not the address.</param>
public sealed record SessionBody(Guid Id, bool Current, DateTimeOffset CreatedAt, DateTimeOffset LastUsedAt, string UserAgent, string Ip);

internal static class ListSessions
{
    public static async Task<Ok<SessionsResponse>> HandleAsync(Caller caller, AriyaDatabase db, CancellationToken cancellationToken)
    {
        var sessions = await db.QueryAsync(
            $"""
             select s.id, s.created_at, s.last_used_at, s.user_agent, s.network
             from sessions s join accounts a on a.id = s.account_id and a.auth_epoch = s.auth_epoch
             where s.account_id = {caller.Account.Id} and s.revoked_at is null
               and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
             order by s.created_at desc limit 200
             """,
            row => new SessionBody(row.Get<Guid>("id"), row.Get<Guid>("id") == caller.SessionId, row.Get<DateTimeOffset>("created_at"),
                row.Get<DateTimeOffset>("last_used_at"), row.Get<string>("user_agent"), row.Get<string>("network")),
            cancellationToken);
        return TypedResults.Ok(new SessionsResponse(sessions));
    }
}
