using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Data;
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

/// <summary>
/// Turns a registration into an account when its own mailed token comes back. The link of registration k makes the account
/// of registration k and no other, so that nobody ends up with credentials that somebody else chose.
/// </summary>
internal sealed class EmailVerification(AriyaDbContext db, PasswordHasher hasher, HashGate gate)
{
    /// <summary>What a token would do, without doing it: for the page that a link opens.</summary>
    public async Task<VerificationResult> LookAsync(string? token, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        return found is null ? VerificationResult.Invalid : Judge(found);
    }

    /// <param name="token">From the link.</param>
    /// <param name="password">The password chosen at that registration; needed only after <see cref="VerificationResult.PasswordRequired"/>.</param>
    /// <param name="client">Who asks, for the audit and the share of the hash gate.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<VerificationResult> VerifyAsync(
        string? token, string? password, ClientInfo client, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        if (found is null)
        {
            return VerificationResult.Invalid;
        }

        var judged = Judge(found);
        if (judged == VerificationResult.PasswordRequired && password is not null)
        {
            await hasher.EnsureReadyAsync(cancellationToken);
            using var place = await gate.EnterAsync(client.Network, cancellationToken);
            if (place is null)
            {
                return VerificationResult.Busy;
            }

            judged = PasswordHasher.Verify(found.PasswordHash!, password) ? VerificationResult.Verified : VerificationResult.WrongPassword;
        }

        return judged == VerificationResult.Verified ? await ConsumeAsync(found, client, cancellationToken) : judged;
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
             select t.address, t.consumed_at is not null as is_consumed, t.expires_at <= clock_timestamp() as is_expired, r.password_hash,
                    (select count(*) from registrations x where x.email_canonical = t.address and x.expires_at > clock_timestamp()) as registrations
             from one_time_tokens t
             left join registrations r on r.id = t.subject_id and r.expires_at > clock_timestamp()
             where t.token_hash = {hash} and t.purpose = {OneTimeToken.VerifyEmail}
             """,
            row => new FoundToken(hash, row.Get<string>("address"), row.Get<bool>("is_consumed"), row.Get<bool>("is_expired"),
                row.GetNullable<string>("password_hash"), row.Get<long>("registrations")),
            cancellationToken);
    }

    // One commit: the token is used, the account and its vendor exist, every other registration and link of the address is
    // done with, the audit and the welcome mail are written; or nothing is. The advisory lock comes first so that two links
    // of one address, used at once, wait for each other instead of locking each other's tokens crosswise.
    private async Task<VerificationResult> ConsumeAsync(FoundToken found, ClientInfo client, CancellationToken cancellationToken)
    {
        var accountId = Guid.CreateVersion7();
        var outcome = await db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({found.Address}, 0))",
                $"""
                 with t as (
                   update one_time_tokens set consumed_at = clock_timestamp()
                   where token_hash = {found.Hash} and purpose = {OneTimeToken.VerifyEmail} and consumed_at is null
                     and expires_at > clock_timestamp()
                   returning subject_id, address),
                 r as (
                   select x.* from registrations x join t on x.id = t.subject_id where x.expires_at > clock_timestamp()),
                 a as (
                   insert into accounts (id, email, email_canonical, first_name, last_name, password_hash)
                   select {accountId}, r.email, r.email_canonical, r.first_name, r.last_name, r.password_hash from r
                   on conflict (email_canonical) do nothing
                   returning id, email_canonical),
                 v as (
                   insert into vendors (account_id, business_name, category)
                   select a.id, r.vendor_business_name, r.vendor_category from a join r on r.vendor_business_name is not null),
                 others as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from t
                   where x.purpose = {OneTimeToken.VerifyEmail} and x.address = t.address and x.consumed_at is null
                     and x.token_hash <> {found.Hash}),
                 d as (delete from registrations x using t where x.email_canonical = t.address),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.Welcome}, jsonb_build_object('accountId', a.id),
                          a.email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id},
                          {RandomNumberGenerator.GetBytes(16)}
                   from a),
                 e as (
                   insert into audit_events (id, kind, account_id, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.EmailVerified}, a.id, {client.Network}, {client.UserAgent} from a)
                 select (select count(*) from t) as consumed, (select count(*) from a) as created
                 """,
            ],
            row => (Consumed: row.Get<long>("consumed"), Created: row.Get<long>("created")), cancellationToken);
        return outcome[0] switch
        {
            { Created: 1 } => VerificationResult.Verified,
            { Consumed: 1 } => VerificationResult.AlreadyVerified,
            // Somebody was faster between the look and the update: with this link, or until the link's time was over.
            _ => Judge((await FindAsync(found, cancellationToken))!) is VerificationResult.AlreadyVerified
                ? VerificationResult.AlreadyVerified
                : VerificationResult.Expired,
        };
    }

    private Task<FoundToken?> FindAsync(FoundToken again, CancellationToken cancellationToken) =>
        db.QueryFirstAsync(
            $"""
             select consumed_at is not null as is_consumed, expires_at <= clock_timestamp() as is_expired
             from one_time_tokens where token_hash = {again.Hash}
             """,
            row => again with { IsConsumed = row.Get<bool>("is_consumed"), IsExpired = row.Get<bool>("is_expired") },
            cancellationToken);

    private sealed record FoundToken(
        byte[] Hash, string Address, bool IsConsumed, bool IsExpired, string? PasswordHash, long Registrations);
}
