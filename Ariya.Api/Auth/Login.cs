using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Accounts;
using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Microsoft.Extensions.Options;

namespace Ariya.Api.Auth;

/// <summary>A sign-in.</summary>
/// <param name="Email">The account's address, in any spelling that is the same address.</param>
/// <param name="Password">The account's password.</param>
public sealed record LoginRequest(string? Email, string? Password);

/// <summary>
/// Two round trips: what is known of the address, and the one statement that decides. Between them at most two hashes: one for
/// the account or for nobody, one more while a registration waits for its mailbox. A known and an unknown address cost the same.
/// </summary>
internal sealed class Login(
    AriyaDbContext db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, SessionTokens sessionTokens, IOptions<SessionLifetimeOptions> options)
{
    public static Task<IResult> HandleAsync(LoginRequest request, ClientInfo client, Login login, CancellationToken cancellationToken) =>
        login.SignInAsync(request, client, cancellationToken);

    private async Task<IResult> SignInAsync(LoginRequest request, ClientInfo client, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.PresentedPassword("password", request.Password);
        if (email is null || errors.Any)
        {
            return Problem.Validation(errors);
        }

        await hasher.EnsureReadyAsync(cancellationToken);
        var known = (await LookUpAsync(email, client, cancellationToken))!;
        if (known.DelaySeconds > 0)
        {
            return Problem.SignInDelayed(known.DelaySeconds);
        }

        bool isPassword, isRegistrationPassword;
        string? betterHash = null;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return Problem.Busy();
            }

            // Both are computed before anything is decided: the number of hashes must not tell which one matched.
            isPassword = known.PasswordHash is { } hash ? PasswordHasher.Verify(hash, password) : hasher.VerifyNobody(password);
            isRegistrationPassword = known.RegistrationHash is { } waiting && PasswordHasher.Verify(waiting, password);
            if (isPassword && known.RegistrationHash is null && hasher.NeedsRehash(known.PasswordHash!))
            {
                betterHash = hasher.Create(password);
            }
        }

        return (isPassword, isRegistrationPassword) switch
        {
            (true, _) when known.Status == Account.Disabled => Problem.AccountDisabled(),
            (true, _) => await SucceedAsync(known, betterHash, client, cancellationToken),
            (_, true) => Problem.EmailNotVerified(),
            _ => await FailAsync(known, email, client, cancellationToken),
        };
    }

    private Task<Known?> LookUpAsync(EmailAddress email, ClientInfo client, CancellationToken cancellationToken)
    {
        var addressKey = addressKeys.Of(email);
        var networkKey = addressKeys.Of(email, client.Network);
        return db.QueryFirstAsync(
            $"""
             select a.id, a.email, a.first_name, a.last_name, a.roles, a.locale, a.password_hash, a.status, a.auth_epoch,
                    v.business_name, v.category, r.password_hash as registration_hash, k.key,
                    case when f.failures >= {SignInDelay.DisableAtFailure} then {SignInDelay.DisabledRetryAfter}
                         when f.delayed_until > clock_timestamp() then ceil(extract(epoch from f.delayed_until - clock_timestamp()))::int
                         else 0 end as delay_seconds
             from (select {email.Canonical}::text as address) asked
             left join accounts a on a.email_canonical = asked.address
             left join vendors v on v.account_id = a.id
             left join lateral (
               select x.password_hash from registrations x
               where x.email_canonical = asked.address and x.expires_at > clock_timestamp()
               order by x.requested_at desc limit 1) r on true
             -- A network from which this account signed in lately counts for itself, so that a stranger cannot lock the owner out.
             cross join lateral (
               select case when exists (
                 select 1 from sessions s where s.account_id = a.id and s.network = {client.Network}
                   and s.created_at > clock_timestamp() - interval '30 days')
               then {networkKey} else {addressKey} end as key) k
             left join sign_in_failures f on f.key = k.key
             """,
            row => new Known(
                row.GetNullable<string>("password_hash") is null ? null : AccountBody.Read(row), row.GetNullable<string>("password_hash"),
                row.GetNullable<string>("status"), row.GetNullable<int>("auth_epoch"), row.GetNullable<string>("registration_hash"),
                row.Get<byte[]>("key"), row.Get<int>("delay_seconds")),
            cancellationToken);
    }

    private async Task<IResult> SucceedAsync(Known known, string? betterHash, ClientInfo client, CancellationToken cancellationToken)
    {
        var account = known.Account!;
        var sessionId = Guid.CreateVersion7();
        var nonce = RandomNumberGenerator.GetBytes(RefreshTokens.NonceLength);
        // The failure row is locked whole and judged outside the lock: a condition inside would be judged on the snapshot from
        // before the wait. FOR SHARE on the account makes this wait for a reset that is under way and then see its epoch.
        var session = await db.QueryFirstAsync(
            $"""
             with l as (
               select failures, delayed_until from sign_in_failures where key = {known.FailureKey} for update),
             a as (
               select id, email_canonical from accounts
               where id = {account.Id} and auth_epoch = {known.AuthEpoch} and status = 'active' for share),
             s as (
               insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
               select {sessionId}, a.id, {known.AuthEpoch}, {nonce}, {client.UserAgent}, {client.Network},
                      clock_timestamp() + {options.Value.IdleLifetime}, clock_timestamp() + {options.Value.AbsoluteLifetime}
               from a
               where not exists (select 1 from l where failures >= {SignInDelay.DisableAtFailure} or delayed_until > clock_timestamp())
               returning id, idle_expires_at, expires_at),
             d as (
               delete from sign_in_failures where key = {known.FailureKey} and exists (select 1 from s)),
             -- Told when the account was used before, but not from this network and not with this program both.
             m as (
               insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
               select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.NewSignIn},
                      jsonb_build_object('accountId', a.id, 'sessionId', s.id), a.email_canonical, clock_timestamp() + interval '72 hours',
                      {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
               from s cross join a
               where exists (select 1 from sessions x where x.account_id = a.id)
                 and not (exists (select 1 from sessions x where x.account_id = a.id and x.network = {client.Network})
                   and exists (select 1 from sessions x where x.account_id = a.id and x.user_agent = {client.UserAgent}))),
             e as (
               insert into audit_events (id, kind, account_id, session_id, network, user_agent)
               select {Guid.CreateVersion7()}, {AuditKinds.SignedIn}, {account.Id}, s.id, {client.Network}, {client.UserAgent} from s)
             select idle_expires_at, expires_at, clock_timestamp() as now from s
             """,
            row => new LiveSession(sessionId, 0, nonce, row.Get<DateTimeOffset>("now"),
                row.Get<DateTimeOffset>("idle_expires_at"), row.Get<DateTimeOffset>("expires_at")),
            cancellationToken);
        if (session is null)
        {
            // Meanwhile the password was changed, the account disabled or the delay began. To the caller it is a refusal.
            return Problem.InvalidCredentials();
        }

        if (betterHash is not null)
        {
            await RehashAsync(account.Id, known.PasswordHash!, betterHash, client, cancellationToken);
        }

        return TypedResults.Ok(await sessionTokens.CreateAsync(session, account, cancellationToken));
    }

    // The same password under today's parameters: no epoch, no notice. A change that came first wins.
    private Task<int> RehashAsync(Guid accountId, string oldHash, string newHash, ClientInfo client, CancellationToken cancellationToken) =>
        db.ExecuteAsync(
            $"""
             with a as (
               update accounts set password_hash = {newHash} where id = {accountId} and password_hash = {oldHash} returning id)
             insert into audit_events (id, kind, account_id, network, user_agent)
             select {Guid.CreateVersion7()}, {AuditKinds.PasswordRehashed}, a.id, {client.Network}, {client.UserAgent} from a
             """,
            cancellationToken);

    private async Task<IResult> FailAsync(Known known, EmailAddress email, ClientInfo client, CancellationToken cancellationToken)
    {
        await SignInDelay.CountFailureAsync(db, known.FailureKey, addressKeys.Of(email), known.Account?.Id, client, cancellationToken);
        return Problem.InvalidCredentials();
    }

    private sealed record Known(
        AccountBody? Account, string? PasswordHash, string? Status, int AuthEpoch, string? RegistrationHash, byte[] FailureKey, int DelaySeconds);
}
