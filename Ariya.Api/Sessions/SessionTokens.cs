using Ariya.Api.Accounts;

namespace Ariya.Api.Sessions;

/// <summary>What a client holds after signing in or refreshing.</summary>
/// <param name="TokenType">Always <c>Bearer</c>.</param>
/// <param name="AccessToken">Goes into the Authorization header.</param>
/// <param name="ExpiresIn">Seconds until the access token is dead.</param>
/// <param name="RefreshToken">Good for one exchange; keep it in one place.</param>
/// <param name="RefreshExpiresIn">Seconds until the refresh token is dead if it is not used.</param>
/// <param name="Account">Who signed in.</param>
public sealed record TokensResponse(
    string TokenType, string AccessToken, int ExpiresIn, string RefreshToken, int RefreshExpiresIn, AccountBody Account);

/// <summary>A session as the statement that opened or rotated it answered.</summary>
internal sealed record LiveSession(
    Guid Id, long Generation, byte[] Nonce, DateTimeOffset Now, DateTimeOffset IdleExpiresAt, DateTimeOffset ExpiresAt);

/// <summary>Derives the pair of tokens of a session.</summary>
internal sealed class SessionTokens(AccessTokens accessTokens, RefreshTokens refreshTokens)
{
    public async Task<TokensResponse> CreateAsync(LiveSession session, AccountBody account, CancellationToken cancellationToken)
    {
        var end = session.IdleExpiresAt < session.ExpiresAt ? session.IdleExpiresAt : session.ExpiresAt;
        var (accessToken, expiresIn) = await accessTokens.CreateAsync(account.Id, session.Id, session.Now, end, cancellationToken);
        return new TokensResponse("Bearer", accessToken, expiresIn,
            refreshTokens.Create(session.Id, session.Generation, session.Nonce), (int)Math.Ceiling((end - session.Now).TotalSeconds), account);
    }
}
