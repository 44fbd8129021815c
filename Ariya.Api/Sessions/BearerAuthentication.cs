using System.Security.Claims;
using System.Text.Encodings.Web;
using Ariya.Api.Accounts;
using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Data;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authorization;
using Microsoft.Extensions.Options;
using Microsoft.Net.Http.Headers;

namespace Ariya.Api.Sessions;

/// <summary>The signed-in caller of a request.</summary>
internal sealed record Caller(Guid SessionId, AccountBody Account, int Version)
{
    public static ValueTask<Caller?> BindAsync(HttpContext context) => ValueTask.FromResult(context.Features.Get<Caller>());
}

/// <summary>
/// Bearer tokens (RFC 6750). A signature is not enough: the session must be alive, the account active and its epoch the
/// session's, as one read of PostgreSQL says.
/// </summary>
internal sealed class BearerAuthentication(
    IOptionsMonitor<AuthenticationSchemeOptions> options, ILoggerFactory logger, UrlEncoder encoder, AccessTokens tokens, CallerCache cache, ProfileCache profiles,
    SecurityEvents security)
    : AuthenticationHandler<AuthenticationSchemeOptions>(options, logger, encoder)
{
    public const string SchemeName = "Bearer";

    protected override async Task<AuthenticateResult> HandleAuthenticateAsync()
    {
        var header = Request.Headers.Authorization.ToString();
        // An endpoint that asks nobody who they are, a probe for one, must not depend on whatever a caller puts in this header.
        if (Context.GetEndpoint()?.Metadata.GetMetadata<IAllowAnonymous>() is not null || Context.GetEndpoint() is null || !header.StartsWith("Bearer ", StringComparison.OrdinalIgnoreCase))
        {
            return AuthenticateResult.NoResult();
        }

        var token = header["Bearer ".Length..].Trim();
        var caller = cache.Find(token) ?? await Context.InTimeAsync(CheckAsync(token));
        if (caller is null)
        {
            return AuthenticateResult.Fail("The token is not valid, or its session is over.");
        }

        Context.Features.Set(caller);
        var identity = new ClaimsIdentity([new Claim(ClaimTypes.NameIdentifier, caller.Account.Id.ToString())], Scheme.Name);
        return AuthenticateResult.Success(new AuthenticationTicket(new ClaimsPrincipal(identity), Scheme.Name));
    }

    protected override Task HandleChallengeAsync(AuthenticationProperties properties)
    {
        var sentToken = Request.Headers.ContainsKey(HeaderNames.Authorization);
        Response.Headers.WWWAuthenticate = sentToken ? "Bearer error=\"invalid_token\"" : "Bearer";
        return Problem.Unauthenticated().ExecuteAsync(Context);
    }

    private async Task<Caller?> CheckAsync(string token)
    {
        var (read, forgery) = await tokens.JudgeAsync(token, Context.RequestAborted);
        if (forgery is { } why)
        {
            security.ForgedBearer(why, ClientInfo.Of(Context).Network);
        }

        var caller = read is null ? null : await LiveCallerAsync(read);
        if (caller is null)
        {
            cache.Forget(token);
        }
        else
        {
            cache.Keep(token, read!.ExpiresAt, caller);
        }

        return caller;
    }

    // What decides is read from PostgreSQL, what is only shown may come from Redis meanwhile: it counts when its version is the one read here.
    private async Task<Caller?> LiveCallerAsync(AccessToken token)
    {
        var isCacheThere = profiles.IsThere;
        var cached = isCacheThere ? profiles.FindAsync(token.AccountId) : null;
        var live = await ReadAsync(token, isWhole: !isCacheThere);
        if (live is null || cached is null)
        {
            return live;
        }

        if (await cached is var (version, profile) && version == live.Version)
        {
            return live with
            {
                Account = live.Account with { FirstName = profile.FirstName, LastName = profile.LastName, Locale = profile.Locale, Vendor = profile.Vendor },
            };
        }

        live = await ReadAsync(token, isWhole: true);
        if (live is not null)
        {
            profiles.Keep(live.Account, live.Version);
        }

        return live;
    }

    /// <param name="token">Of the caller.</param>
    /// <param name="isWhole">Whether the profile is read too, or only who it is and what they may do.</param>
    private Task<Caller?> ReadAsync(AccessToken token, bool isWhole)
    {
        // Asked for here: a warm token needs none.
        return Context.RequestServices.GetRequiredService<AriyaDatabase>().QueryFirstAsync(
            $"""
             select a.id, a.email, a.roles, a.version, case when {isWhole} then a.first_name else '' end as first_name,
                    case when {isWhole} then a.last_name else '' end as last_name, case when {isWhole} then a.locale end as locale,
                    v.business_name, v.category
             from sessions s
             join accounts a on a.id = s.account_id and a.auth_epoch = s.auth_epoch and a.status = 'active'
             left join vendors v on v.account_id = a.id and {isWhole}
             where s.id = {token.SessionId} and s.account_id = {token.AccountId} and s.revoked_at is null
               and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
             """,
            row => new Caller(token.SessionId, AccountBody.Read(row), row.Get<int>("version")),
            Context.RequestAborted);
    }
}
