using System.Security.Claims;
using Ariya.Api.Auth;
using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Options;
using Microsoft.IdentityModel.JsonWebTokens;
using Microsoft.IdentityModel.Tokens;

namespace Ariya.Api.Sessions;

/// <summary>What a valid access token says. Roles are not in it: they are read where they are needed.</summary>
internal sealed record AccessToken(Guid AccountId, Guid SessionId, DateTimeOffset ExpiresAt);

/// <summary>Signs and checks access tokens: JWT of type at+jwt (RFC 9068), ES256 only, short-lived.</summary>
internal sealed class AccessTokens(SigningKeyRing keys, PublicUrl url, IOptions<SessionLifetimeOptions> options, TimeProvider clock)
{
    public const string Audience = "ariya";
    private const string TokenType = "at+jwt";
    private const string SessionClaim = "sid";
    private const int MaxTokenLength = 2048;
    private static readonly TimeSpan s_skew = TimeSpan.FromSeconds(10);

    private readonly JsonWebTokenHandler _handler = new() { SetDefaultTimesOnTokenCreation = false, MapInboundClaims = false };

    /// <param name="accountId">The subject.</param>
    /// <param name="sessionId">The session that the token dies with.</param>
    /// <param name="now">The database's clock, as the statement that opened or rotated the session answered it.</param>
    /// <param name="sessionEnd">When the session ends unless it is refreshed; the token does not outlive it.</param>
    /// <param name="cancellationToken">Ends a wait for the keys.</param>
    /// <returns>The token and its life in seconds.</returns>
    public async Task<(string Token, int ExpiresIn)> CreateAsync(
        Guid accountId, Guid sessionId, DateTimeOffset now, DateTimeOffset sessionEnd, CancellationToken cancellationToken)
    {
        var end = now + options.Value.AccessTokenLifetime;
        end = end < sessionEnd ? end : sessionEnd;
        var token = _handler.CreateToken(new SecurityTokenDescriptor
        {
            TokenType = TokenType,
            Issuer = url.Issuer,
            Audience = Audience,
            IssuedAt = now.UtcDateTime,
            NotBefore = now.UtcDateTime,
            Expires = end.UtcDateTime,
            Claims = new Dictionary<string, object>
            {
                [JwtRegisteredClaimNames.Sub] = accountId.ToString(),
                [SessionClaim] = sessionId.ToString(),
                [JwtRegisteredClaimNames.Jti] = Guid.CreateVersion7().ToString(),
            },
            SigningCredentials = new SigningCredentials(await keys.SignerAsync(cancellationToken), SecurityAlgorithms.EcdsaSha256),
        });
        return (token, (int)(end - now).TotalSeconds);
    }

    /// <summary>No token for anything but a live one of this deployment; and why it is none, unless it is one whose time is over.</summary>
    public async Task<(AccessToken? Token, Forgery? Why)> JudgeAsync(string token, CancellationToken cancellationToken)
    {
        // What is no token of ours by its form costs no look at the keys.
        if (token.Length > MaxTokenLength || KidOf(token) is not { } kid)
        {
            return (null, Forgery.Form);
        }

        var result = await _handler.ValidateTokenAsync(token, new TokenValidationParameters
        {
            ValidTypes = [TokenType],
            ValidAlgorithms = [SecurityAlgorithms.EcdsaSha256],
            ValidIssuer = url.Issuer,
            ValidAudience = Audience,
            IssuerSigningKeys = await keys.VerifiersAsync(kid, cancellationToken),
            // The key that a token names, or none: a stranger's costs no verification.
            TryAllIssuerSigningKeys = false,
            RequireSignedTokens = true,
            RequireExpirationTime = true,
            LifetimeValidator = (notBefore, expires, _, _) => IsAlive(notBefore, expires),
        });
        if (!result.IsValid)
        {
            return (null, result.Exception switch
            {
                SecurityTokenInvalidSignatureException => Forgery.Signature,
                SecurityTokenInvalidLifetimeException => null,
                _ => Forgery.Claims,
            });
        }

        return result.ClaimsIdentity.FindFirst(JwtRegisteredClaimNames.Sub) is Claim subject && Guid.TryParse(subject.Value, out var accountId)
            && result.ClaimsIdentity.FindFirst(SessionClaim) is Claim session && Guid.TryParse(session.Value, out var sessionId)
                ? (new AccessToken(accountId, sessionId, result.SecurityToken.ValidTo), null)
                : (null, Forgery.Claims);
    }

    private string? KidOf(string token)
    {
        try
        {
            return _handler.CanReadToken(token) && _handler.ReadJsonWebToken(token) is { Alg: SecurityAlgorithms.EcdsaSha256, Kid.Length: > 0 } read ? read.Kid : null;
        }
        catch (ArgumentException)
        {
            // Three parts with dots between them, and not JSON inside.
            return null;
        }
    }

    private bool IsAlive(DateTime? notBefore, DateTime? expires)
    {
        var now = clock.GetUtcNow().UtcDateTime;
        return notBefore is not null && expires is not null && notBefore - s_skew <= now && now < expires + s_skew;
    }
}
