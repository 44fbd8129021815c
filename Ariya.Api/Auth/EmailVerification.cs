using System.Diagnostics;
using System.Security.Cryptography;
using System.Text;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;

namespace Ariya.Api.Auth;

internal enum VerificationResult
{
    Verified,
    AlreadyVerified,
    Invalid,
    Expired,

    /// <summary>The address was registered more than once: the password says which registration is the mailbox owner's.</summary>
    PasswordRequired,
    WrongPassword,
    Busy,
}

/// <summary>What the owner of a mailbox needs to know their own registration from a stranger's.</summary>
internal sealed record VerificationLook(VerificationResult Result, string MaskedEmail, string Name, string Network, DateTimeOffset RequestedAt);

/// <summary>
/// Turns a registration into an account when its own mailed token or code comes back. The mail of registration k makes the account
/// of registration k and no other, so that nobody ends up with credentials that somebody else chose.
/// </summary>
internal sealed class EmailVerification(
    AriyaDatabase db, PasswordHasher hasher, HashGate gate, OneTimeTokenKeys tokenKeys, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell,
    AuthEvents events)
{
    private const int MaxCodeAttempts = 5;

    // Wrong codes for an address in 24 hours, after which only the link works: at most 20 in a million guesses a day.
    public const int MaxCodeFailures = 20;

    /// <summary>For how long after the last one wrong codes count.</summary>
    public static readonly TimeSpan CodeFailuresCount = TimeSpan.FromHours(24);

    /// <summary>What a token would do, without doing it, and whose registration it is: for the page that a link opens.</summary>
    public async Task<VerificationLook> LookAsync(string? token, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        return found is null
            ? new VerificationLook(VerificationResult.Invalid, "", "", "", default)
            : new VerificationLook(Judge(found), EmailAddress.Mask(found.Address), found.Name ?? "", found.Network ?? "", found.RequestedAt ?? default);
    }

    /// <param name="token">From the link.</param>
    /// <param name="password">The password chosen at that registration; needed only after <see cref="VerificationResult.PasswordRequired"/>.</param>
    /// <param name="client">Who asks, for the audit and the share of the hash gate.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<VerificationResult> VerifyAsync(
        string? token, string? password, ClientInfo client, CancellationToken cancellationToken)
    {
        return await FindAsync(token, cancellationToken) is { } found
            ? await ActAsync(found, password, client, cancellationToken)
            : VerificationResult.Invalid;
    }

    /// <summary>
    /// Proves the mailbox with the six digits of its newest mail. Every try is counted and committed before it is judged, for
    /// an address that nobody registered too; the answer to everything but the right digits is <see cref="VerificationResult.Invalid"/>.
    /// </summary>
    public async Task<VerificationResult> VerifyCodeAsync(
        EmailAddress email, string code, string? password, ClientInfo client, CancellationToken cancellationToken)
    {
        var failureKey = addressKeys.OfCodes(email);
        var found = await CountCodeAsync(email, failureKey, client, cancellationToken);
        var expected = found is null
            ? null
            : tokenKeys.Code(found.KeyId, OneTimeToken.VerifyEmail, found.Salt, found.MessageId, found.SubjectId, found.Address);
        if (expected is null || !CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(expected), Encoding.UTF8.GetBytes(code)))
        {
            return VerificationResult.Invalid;
        }

        await db.ExecuteAsync($"delete from sign_in_failures where key = {failureKey}", cancellationToken);
        return await ActAsync(found!, password, client, cancellationToken);
    }

    /// <summary>
    /// "This was not me": the token's registration is deleted and its links end. Nothing is said about other registrations.
    /// </summary>
    /// <returns>False when it is too late: the token was used, and there is an account.</returns>
    public async Task<bool> RejectAsync(string? token, ClientInfo client, CancellationToken cancellationToken)
    {
        if (await FindAsync(token, cancellationToken) is not { } found)
        {
            return true;
        }

        if (found.IsConsumed)
        {
            return false;
        }

        await db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({found.Address}, 0))",
                $"""
                 with r as (delete from registrations where id = {found.SubjectId} returning id),
                 t as (
                   update one_time_tokens set expires_at = clock_timestamp(), code_expires_at = clock_timestamp()
                   where subject_id = {found.SubjectId} and purpose = {OneTimeToken.VerifyEmail} and consumed_at is null)
                 insert into audit_events (id, kind, address_key, network, user_agent)
                 select {Guid.CreateVersion7()}, {AuditKinds.RegistrationRejected}, {addressKeys.OfCanonical(found.Address)}, {client.Network},
                        {client.UserAgent}
                 from r
                 returning id
                 """,
            ],
            row => row.GetGuid(0), cancellationToken);
        return true;
    }

    private async Task<VerificationResult> ActAsync(FoundToken found, string? password, ClientInfo client, CancellationToken cancellationToken)
    {
        var judged = Judge(found);
        var isPasswordProven = false;
        if (judged == VerificationResult.PasswordRequired && password is not null)
        {
            await hasher.EnsureReadyAsync(cancellationToken);
            using var place = await gate.EnterAsync(client.Network, cancellationToken);
            if (place is null)
            {
                return VerificationResult.Busy;
            }

            isPasswordProven = hasher.Verify(found.PasswordHash!, password);
            judged = isPasswordProven ? VerificationResult.Verified : VerificationResult.WrongPassword;
        }

        return judged == VerificationResult.Verified ? await ConsumeAsync(found, isPasswordProven, client, cancellationToken) : judged;
    }

    private static VerificationResult Judge(FoundToken found) => found switch
    {
        { IsConsumed: true } => VerificationResult.AlreadyVerified,
        { IsExpired: true } => VerificationResult.Expired,
        { PasswordHash: null } => VerificationResult.Invalid,
        { Registrations: > 1 } => VerificationResult.PasswordRequired,
        _ => VerificationResult.Verified,
    };

    private async Task<FoundToken?> FindAsync(string? token, CancellationToken cancellationToken)
    {
        if (OneTimeTokenKeys.Hash(token) is not { } hash)
        {
            return null;
        }

        return await db.QueryFirstAsync(
            $"""
             select t.message_id, t.subject_id, t.address, t.salt, t.key_id, t.consumed_at is not null as is_consumed,
                    t.expires_at <= clock_timestamp() as is_expired, r.password_hash,
                    r.first_name || ' ' || r.last_name as name, r.network, r.requested_at,
                    (select count(*) from registrations x where x.email_canonical = t.address and x.expires_at > clock_timestamp()) as registrations
             from one_time_tokens t
             left join registrations r on r.id = t.subject_id and r.expires_at > clock_timestamp()
             where t.token_hash = {hash} and t.purpose = {OneTimeToken.VerifyEmail}
             """,
            FoundToken.Read, cancellationToken);
    }

    // One statement for any address: the address's counter always, the newest mail's where there is one. A mail whose tries or
    // time are over, or an address with too many wrong codes, finds nothing.
    private Task<FoundToken?> CountCodeAsync(EmailAddress email, byte[] failureKey, ClientInfo client, CancellationToken cancellationToken) =>
        db.QueryFirstAsync(
            $"""
             with f as (
               insert into sign_in_failures (key, address_key, failures, last_failed_at)
               values ({failureKey}, {failureKey}, 1, clock_timestamp())
               on conflict (key) do update
                 set failures = case when sign_in_failures.last_failed_at < clock_timestamp() - {CodeFailuresCount} then 1
                                     else sign_in_failures.failures + 1 end,
                     last_failed_at = clock_timestamp()
               returning failures),
             n as (
               select message_id from one_time_tokens
               where purpose = {OneTimeToken.VerifyEmail} and address = {email.Canonical} order by created_at desc limit 1),
             t as (
               update one_time_tokens x set code_attempts = x.code_attempts + 1
               from n, f
               where x.message_id = n.message_id and x.code_attempts < {MaxCodeAttempts} and x.code_expires_at > clock_timestamp()
                 and f.failures <= {MaxCodeFailures}
               returning x.*),
             e as (
               insert into audit_events (id, kind, address_key, network, user_agent)
               values ({Guid.CreateVersion7()}, {AuditKinds.CodeTried}, {addressKeys.Of(email)}, {client.Network}, {client.UserAgent}))
             select t.message_id, t.subject_id, t.address, t.salt, t.key_id, t.consumed_at is not null as is_consumed,
                    t.expires_at <= clock_timestamp() as is_expired, r.password_hash,
                    r.first_name || ' ' || r.last_name as name, r.network, r.requested_at,
                    (select count(*) from registrations x where x.email_canonical = t.address and x.expires_at > clock_timestamp()) as registrations
             from t
             left join registrations r on r.id = t.subject_id and r.expires_at > clock_timestamp()
             """,
            FoundToken.Read, cancellationToken);

    // One commit: the token is used, the account and its vendor exist, every other registration and link of the address is
    // done with, the audit and the welcome mail are written; or nothing is. The advisory lock comes first so that two links
    // of one address, used or rejected at once, wait for each other instead of locking each other's rows crosswise; registering
    // takes it too, so that the number of registrations that was judged is the number that there is.
    private async Task<VerificationResult> ConsumeAsync(
        FoundToken found, bool isPasswordProven, ClientInfo client, CancellationToken cancellationToken)
    {
        var outcome = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({found.Address}, 0))",
                $"""
                 with c as (
                   select count(*) > 1 as is_contested from registrations
                   where email_canonical = {found.Address} and expires_at > clock_timestamp()),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from c
                   where x.message_id = {found.MessageId} and x.consumed_at is null and x.expires_at > clock_timestamp()
                     and ({isPasswordProven} or not c.is_contested)
                   returning x.subject_id, x.address),
                 r as (
                   select x.* from registrations x join t on x.id = t.subject_id where x.expires_at > clock_timestamp()),
                 a as (
                   insert into accounts (id, email, email_canonical, first_name, last_name, password_hash)
                   select {Guid.CreateVersion7()}, r.email, r.email_canonical, r.first_name, r.last_name, r.password_hash from r
                   on conflict (email_canonical) do nothing
                   returning id, email_canonical),
                 v as (
                   insert into vendors (account_id, business_name, category)
                   select a.id, r.vendor_business_name, r.vendor_category from a join r on r.vendor_business_name is not null),
                 others as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from t
                   where x.purpose = {OneTimeToken.VerifyEmail} and x.address = t.address and x.consumed_at is null
                     and x.message_id <> {found.MessageId}),
                 d as (delete from registrations x using t where x.email_canonical = t.address),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.Welcome}, jsonb_build_object('accountId', a.id),
                          a.email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id},
                          {RandomNumberGenerator.GetBytes(16)}
                   from a),
                 e as (
                   insert into audit_events (id, kind, account_id, address_key, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.EmailVerified}, a.id, {addressKeys.OfCanonical(found.Address)}, {client.Network}, {client.UserAgent}
                   from t left join a on true)
                 select (select id from a) as created,
                        exists (select 1 from accounts x where x.email_canonical = {found.Address}) as existed, c.is_contested
                 from c
                 """,
            ],
            row => (Created: row.GetNullable<Guid?>("created"), Existed: row.Get<bool>("existed"), IsContested: row.Get<bool>("is_contested")), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        if (outcome[0].Created is { } accountId)
        {
            work.WhenCommitted(() => events.EmailVerified(accountId, client.Network));
        }

        // Otherwise somebody was faster between the look and the update: another press of the button, or the clock.
        return outcome[0] switch
        {
            { Created: not null } => VerificationResult.Verified,
            { Existed: true } => VerificationResult.AlreadyVerified,
            { IsContested: true } when !isPasswordProven => VerificationResult.PasswordRequired,
            _ => VerificationResult.Expired,
        };
    }

    private sealed record FoundToken(
        Guid MessageId, Guid SubjectId, string Address, byte[] Salt, string KeyId, bool IsConsumed, bool IsExpired, string? PasswordHash,
        long Registrations, string? Name, string? Network, DateTimeOffset? RequestedAt)
    {
        public static FoundToken Read(Npgsql.NpgsqlDataReader row) => new(
            row.Get<Guid>("message_id"), row.Get<Guid>("subject_id"), row.Get<string>("address"), row.Get<byte[]>("salt"), row.Get<string>("key_id"),
            row.Get<bool>("is_consumed"), row.Get<bool>("is_expired"), row.GetNullable<string>("password_hash"), row.Get<long>("registrations"),
            row.GetNullable<string>("name"), row.GetNullable<string>("network"), row.GetNullable<DateTimeOffset?>("requested_at"));
    }
}
