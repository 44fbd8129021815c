using System.Diagnostics;
using System.Security.Cryptography;
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

internal enum ResetResult
{
    Done,
    Invalid,
    Expired,
    Used,
    TooWeak,
    Busy,
}

/// <summary>What came of a reset.</summary>
/// <param name="Result">The outcome.</param>
/// <param name="Reason">With <see cref="ResetResult.TooWeak"/>: why, for the person.</param>
internal sealed record ResetOutcome(ResetResult Result, string? Reason = null);

/// <summary>
/// Sets a new password with a mailed token. In one commit: the token is used, the password is new, every session and every other
/// token of the account is over, and the owner is told. It signs nobody in.
/// </summary>
internal sealed class PasswordReset(
    AriyaDatabase db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell,
    AuthEvents events)
{
    /// <summary>What a token would do, without doing it, and the masked address it is for.</summary>
    public async Task<(ResetResult Result, string MaskedEmail)> LookAsync(string? token, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        return found is null ? (ResetResult.Invalid, "") : (Judge(found), EmailAddress.Mask(found.Email));
    }

    /// <param name="token">From the link.</param>
    /// <param name="password">Of the right length.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<ResetOutcome> ResetAsync(string? token, string password, ClientInfo client, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        if (found is null)
        {
            return new ResetOutcome(ResetResult.Invalid);
        }

        // Judged before the hash is paid for, and again by the statement that uses the token.
        if (Judge(found) is not ResetResult.Done and var refused)
        {
            return new ResetOutcome(refused);
        }

        _ = EmailAddress.TryParse(found.Email, out var email);
        if (PasswordBlocklist.Reason(password, email!, found.FirstName, found.LastName) is { } reason)
        {
            return new ResetOutcome(ResetResult.TooWeak, reason);
        }

        await hasher.EnsureReadyAsync(cancellationToken);
        string passwordHash;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return new ResetOutcome(ResetResult.Busy);
            }

            passwordHash = hasher.Create(password);
        }

        return new ResetOutcome(await UseAsync(found, email!, passwordHash, client, cancellationToken));
    }

    // A link whose mail was asked for before the password last changed counts as used: it may have been minted while that happened.
    private static ResetResult Judge(FoundToken found) => found switch
    {
        { IsConsumed: true } => ResetResult.Used,
        { IsExpired: true } => ResetResult.Expired,
        _ => ResetResult.Done,
    };

    private async Task<FoundToken?> FindAsync(string? token, CancellationToken cancellationToken)
    {
        if (OneTimeTokenKeys.Hash(token) is not { } hash)
        {
            return null;
        }

        return await db.QueryFirstAsync(
            $"""
             select t.message_id, t.consumed_at is not null or o.created_at <= a.password_changed_at as is_consumed,
                    t.expires_at <= clock_timestamp() as is_expired, a.id, a.email, a.first_name, a.last_name
             from one_time_tokens t
             join outbox_messages o on o.id = t.message_id
             join accounts a on a.id = t.subject_id and a.status = 'active'
             where t.token_hash = {hash} and t.purpose = {OneTimeToken.ResetPassword}
             """,
            row => new FoundToken(row.Get<Guid>("message_id"), row.Get<bool>("is_consumed"), row.Get<bool>("is_expired"), row.Get<Guid>("id"),
                row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name")),
            cancellationToken);
    }

    // One commit, locks in the order sign_in_failures, accounts, sessions, tokens: a change of the password ends links too, after it
    // has the account. Sessions are ended by a later statement than the one that raises the epoch: a sign-in that was waiting for
    // the account's row is visible to it. Counters born since the transaction began are not locked by the first statement and so
    // not deleted by the last.
    private async Task<ResetResult> UseAsync(
        FoundToken found, EmailAddress email, string passwordHash, ClientInfo client, CancellationToken cancellationToken)
    {
        var addressKey = addressKeys.Of(email);
        var used = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select 1 from sign_in_failures where address_key = {addressKey} order by key for update",
                $"select 1 from accounts where id = {found.AccountId} for no key update",
                $"""
                 with t as (
                   update one_time_tokens x set consumed_at = clock_timestamp()
                   from outbox_messages o, accounts a
                   where x.message_id = {found.MessageId} and x.consumed_at is null and x.expires_at > clock_timestamp()
                     and o.id = x.message_id and a.id = x.subject_id and o.created_at > a.password_changed_at
                   returning x.subject_id)
                 update accounts a
                 set password_hash = {passwordHash}, password_changed_at = clock_timestamp(), auth_epoch = a.auth_epoch + 1,
                     updated_at = clock_timestamp()
                 from t where a.id = t.subject_id and a.status = 'active'
                 returning a.id
                 """,
                $"""
                 with a as (select id, email_canonical from accounts where id = {found.AccountId} and password_hash = {passwordHash}),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'password_reset' from a
                   where x.account_id = a.id and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from a
                   where x.subject_id = a.id and x.purpose = {OneTimeToken.ResetPassword} and x.consumed_at is null),
                 f as (delete from sign_in_failures x using a where x.address_key = {addressKey} and x.last_failed_at <= now()),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.PasswordChanged},
                          jsonb_build_object('accountId', a.id, 'how', 'reset', 'network', {client.Network}::text, 'userAgent', {client.UserAgent}::text),
                          a.email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from a),
                 e as (
                   insert into audit_events (id, kind, account_id, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.PasswordReset}, a.id, {client.Network}, {client.UserAgent} from a)
                 select id from a
                 """,
            ],
            row => row.GetGuid(0), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        if (used.Count == 1)
        {
            work.WhenCommitted(() => events.PasswordReset(found.AccountId, client.Network));
        }

        return used.Count == 1 ? ResetResult.Done : ResetResult.Used;
    }

    private sealed record FoundToken(
        Guid MessageId, bool IsConsumed, bool IsExpired, Guid AccountId, string Email, string FirstName, string LastName);
}
