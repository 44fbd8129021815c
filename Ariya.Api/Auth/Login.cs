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
    AriyaDatabase db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, SessionTokens sessionTokens, ProfileCache profiles,
    AuthEvents events, SecurityEvents security, IOptions<SessionLifetimeOptions> options)
{
    public static async Task<IResult> HandleAsync(
        LoginRequest request, ClientInfo client, Admission admission, Login login, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.PresentedPassword("password", request.Password);
        if (email is null || errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(email.Canonical, request, () => login.SignInAsync(email, password, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> SignInAsync(EmailAddress email, string password, ClientInfo client, CancellationToken cancellationToken)
    {
        await hasher.EnsureReadyAsync(cancellationToken);
        var known = (await LookUpAsync(email, client, cancellationToken))!;
        bool isPassword, isRegistrationPassword;
        string? betterHash = null;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return Problem.Busy();
            }

            // All are computed before anything is decided, during a delay too: neither which one matched nor whether this network
            // is known to the account may be read from the time.
            isPassword = known.PasswordHash is { } hash ? hasher.Verify(hash, password) : hasher.VerifyNobody(password);
            isRegistrationPassword = known.RegistrationHash is { } waiting && hasher.Verify(waiting, password);
            if (isPassword && known.RegistrationHash is null && hasher.NeedsRehash(known.PasswordHash!))
            {
                betterHash = hasher.Create(password);
            }
        }

        if (isPassword && !known.IsDelayed && known.Status == Account.Active)
        {
            return await SucceedAsync(known, betterHash, client, cancellationToken);
        }

        // Whoever registers an address with each guess and then tries it would otherwise guess the account's password uncounted; and so would
        // whoever lets the request's time end just now.
        var failures = await SignInDelay.CountFailureAsync(
            db, known.FailureKeys, addressKeys.Of(email), known.Account?.Id, client, CancellationToken.None);
        security.WrongPassword(known.Account?.Id, failures, client.Network);
        IResult refusal = (isPassword, isRegistrationPassword) switch
        {
            _ when known.ShownDelaySeconds > 0 => Problem.SignInDelayed(known.ShownDelaySeconds),
            (true, _) => Problem.AccountDisabled(),
            (_, true) => Problem.EmailNotVerified(),
            _ => Problem.InvalidCredentials(),
        };
        events.SignInRefused(known.Account?.Id, refusal, client.Network);
        return refusal;
    }

    private Task<Known?> LookUpAsync(EmailAddress email, ClientInfo client, CancellationToken cancellationToken)
    {
        var addressKey = addressKeys.Of(email);
        var networkKey = addressKeys.Of(email, client.Network);
        return db.QueryFirstAsync(
            $"""
             select a.id, a.email, a.first_name, a.last_name, a.roles, a.locale, a.password_hash, a.status, a.auth_epoch, a.version,
                    v.business_name, v.category, r.password_hash as registration_hash, k.is_known_network,
                    case when f.failures >= {SignInDelay.DisableAtFailure} then {SignInDelay.DisabledRetryAfter}
                         when f.delayed_until > clock_timestamp() then ceil(extract(epoch from f.delayed_until - clock_timestamp()))::int
                         else 0 end as address_delay,
                    case when n.failures >= {SignInDelay.DisableAtFailure} then {SignInDelay.DisabledRetryAfter}
                         when n.delayed_until > clock_timestamp() then ceil(extract(epoch from n.delayed_until - clock_timestamp()))::int
                         else 0 end as network_delay
             from (select {email.Canonical}::text as address) asked
             left join accounts a on a.email_canonical = asked.address
             left join vendors v on v.account_id = a.id
             left join lateral (
               select x.password_hash from registrations x
               where x.email_canonical = asked.address and x.expires_at > clock_timestamp()
               order by x.requested_at desc limit 1) r on true
             cross join lateral (
               select exists (
                 select 1 from sessions s where s.account_id = a.id and s.network = {client.Network}
                   and s.created_at > clock_timestamp() - interval '30 days') as is_known_network) k
             left join sign_in_failures f on f.key = {addressKey}
             left join sign_in_failures n on n.key = {networkKey}
             """,
            row => new Known(
                row.GetNullable<string>("password_hash") is null ? null : AccountBody.Read(row), row.GetNullable<string>("password_hash"),
                row.GetNullable<string>("status"), row.GetNullable<int>("auth_epoch"), row.GetNullable<int>("version"), row.GetNullable<string>("registration_hash"),
                row.Get<bool>("is_known_network") ? networkKey : null, addressKey, row.Get<int>("address_delay"), row.Get<int>("network_delay")),
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
               select key, failures, delayed_until from sign_in_failures where key = any({known.FailureKeys}) order by key for update),
             a as (
               select id, email_canonical from accounts
               where id = {account.Id} and auth_epoch = {known.AuthEpoch} and status = 'active' for share),
             s as (
               insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
               select {sessionId}, a.id, {known.AuthEpoch}, {nonce}, {client.UserAgent}, {client.Network},
                      clock_timestamp() + {options.Value.IdleLifetime}, clock_timestamp() + {options.Value.AbsoluteLifetime}
               from a
               where not exists (
                 select 1 from l where key = {known.JudgingKey} and (failures >= {SignInDelay.DisableAtFailure} or delayed_until > clock_timestamp()))
               returning id, idle_expires_at, expires_at),
             d as (
               delete from sign_in_failures where key = any({known.FailureKeys}) and exists (select 1 from s)),
             -- The owner is told unless both this network and this program were used by the account before; not at its very first sign-in.
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
            var refusal = Problem.InvalidCredentials();
            events.SignInRefused(account.Id, refusal, client.Network);
            return refusal;
        }

        if (betterHash is not null)
        {
            await RehashAsync(account.Id, known.PasswordHash!, betterHash, client, cancellationToken);
        }

        events.SignedIn(account.Id, sessionId, client.Network);
        // Its next request is most often for the account, perhaps to another instance.
        profiles.Keep(account, known.Version);
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

    /// <param name="NetworkKey">The counter of this network, if the account signed in from it lately.</param>
    private sealed record Known(
        AccountBody? Account, string? PasswordHash, string? Status, int AuthEpoch, int Version, string? RegistrationHash, byte[]? NetworkKey, byte[] AddressKey,
        int AddressDelay, int NetworkDelay)
    {
        public byte[][] FailureKeys => NetworkKey is null ? [AddressKey] : [NetworkKey, AddressKey];

        /// <summary>The counter that decides for this network.</summary>
        public byte[] JudgingKey => NetworkKey ?? AddressKey;

        public bool IsDelayed => (NetworkKey is null ? AddressDelay : NetworkDelay) > 0;

        // A known network is told the address's delay as everybody is, or the difference would show where the account signs in.
        public int ShownDelaySeconds => Math.Max(AddressDelay, NetworkKey is null ? 0 : NetworkDelay);
    }
}
