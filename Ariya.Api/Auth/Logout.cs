using Ariya.Api.Http;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Auth;

/// <summary>A sign-out.</summary>
/// <param name="RefreshToken">Any refresh token of the session, also one that was exchanged.</param>
public sealed record LogoutRequest(string? RefreshToken);

internal static class Logout
{
    /// <summary>Ends the session of the token. Always 204: somebody who signs out has nothing to learn or to fear.</summary>
    public static Task<IResult> HandleAsync(
        LogoutRequest request, ClientInfo client, Admission admission, RefreshTokens refreshTokens, AriyaDatabase db, AuthEvents events,
        CancellationToken cancellationToken)
    {
        return admission.RunAsync(
            request.RefreshToken ?? "", request, () => EndAsync(refreshTokens.Read(request.RefreshToken), client, db, events, cancellationToken), cancellationToken);
    }

    private static async Task<IResult> EndAsync(
        PresentedRefreshToken? presented, ClientInfo client, AriyaDatabase db, AuthEvents events, CancellationToken cancellationToken)
    {
        if (presented is not null)
        {
            var accountId = await db.QueryFirstAsync(
                $"""
                 with s as (
                   update sessions set revoked_at = clock_timestamp(), revoked_reason = 'signed_out'
                   where id = {presented.SessionId} and nonce = {presented.Nonce} and revoked_at is null
                   returning id, account_id)
                 insert into audit_events (id, kind, account_id, session_id, network, user_agent)
                 select {Guid.CreateVersion7()}, {AuditKinds.SignedOut}, s.account_id, s.id, {client.Network}, {client.UserAgent} from s
                 returning account_id
                 """,
                row => row.Get<Guid?>("account_id"), cancellationToken);
            if (accountId is not null)
            {
                events.SignedOut(accountId.Value, presented.SessionId, client.Network);
            }
        }

        return TypedResults.NoContent();
    }
}
