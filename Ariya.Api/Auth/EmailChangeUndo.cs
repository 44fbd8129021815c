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

/// <summary>
/// Gives an account the address back that it had before a change, with a new password: whoever changed the address knew the old one. In one
/// commit with that every session and every link of the account ends, those to addresses that it had since then too.
/// </summary>
internal sealed class EmailChangeUndo(
    AriyaDatabase db, PasswordHasher hasher, HashGate gate, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell,
    AuthEvents events)
{
    /// <summary>How long the old mailbox can undo a change.</summary>
    public static readonly TimeSpan Period = TimeSpan.FromDays(7);

    /// <summary>What a token would do, without doing it, and the masked address that the account would have again.</summary>
    public async Task<(EmailChangeResult Result, string Email)> LookAsync(string? token, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        return found is null ? (EmailChangeResult.Invalid, "") : (found.Judge(), EmailAddress.Mask(found.OldEmail));
    }

    /// <param name="token">From the link.</param>
    /// <param name="password">Of the right length.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    /// <returns>What came of it; with <see cref="EmailChangeResult.TooWeak"/> why, for the person.</returns>
    public async Task<(EmailChangeResult Result, string? Reason)> UndoAsync(
        string? token, string password, ClientInfo client, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        if (found is null)
        {
            return (EmailChangeResult.Invalid, null);
        }

        if (found.Judge() is not EmailChangeResult.Done and var refused)
        {
            return (refused, null);
        }

        _ = EmailAddress.TryParse(found.OldEmail, out var email);
        if (PasswordBlocklist.Reason(password, email!, found.FirstName, found.LastName) is { } reason)
        {
            return (EmailChangeResult.TooWeak, reason);
        }

        await hasher.EnsureReadyAsync(cancellationToken);
        string passwordHash;
        using (var place = await gate.EnterAsync(client.Network, cancellationToken))
        {
            if (place is null)
            {
                return (EmailChangeResult.Busy, null);
            }

            passwordHash = hasher.Create(password);
        }

        return (await ApplyAsync(found, passwordHash, client, cancellationToken), null);
    }

    private async Task<Found?> FindAsync(string? token, CancellationToken cancellationToken)
    {
        if (OneTimeTokenKeys.Hash(token) is not { } hash)
        {
            return null;
        }

        return await db.QueryFirstAsync(
            $"""
             select c.id, c.account_id, c.old_email, c.old_email_canonical, a.first_name, a.last_name, {State}
             from one_time_tokens t
             join email_changes c on c.id = t.subject_id
             join accounts a on a.id = c.account_id and a.status = 'active'
             where t.token_hash = {hash} and t.purpose = {OneTimeToken.UndoEmailChange}
             """,
            row => new Found(row.Get<Guid>("id"), row.Get<Guid>("account_id"), row.Get<string>("old_email"), row.Get<string>("old_email_canonical"),
                row.Get<string>("first_name"), row.Get<string>("last_name"), row.Get<bool>("is_undone"), row.Get<bool>("is_over"), row.Get<bool>("is_taken")),
            cancellationToken);
    }

    // As in ConfirmEmailChange, for the old address. Whatever the account's address is by now: several changes in a row are undone back to this one.
    private async Task<EmailChangeResult> ApplyAsync(Found found, string passwordHash, ClientInfo client, CancellationToken cancellationToken)
    {
        var addressKey = addressKeys.OfCanonical(found.OldEmailCanonical);
        var outcome = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({found.OldEmailCanonical}, 0))",
                $"select 1 from sign_in_failures where address_key = {addressKey} order by key for update",
                $"select 1 from accounts where id = {found.AccountId} for no key update",
                $"""
                 with c as (
                   select x.id, x.account_id, x.old_email, x.old_email_canonical, x.confirmed_at
                   from email_changes x join accounts a on a.id = x.account_id and a.status = 'active'
                   where x.id = {found.ChangeId} and x.undone_at is null and x.expires_at > clock_timestamp()
                     and not exists (select 1 from accounts y where y.email_canonical = x.old_email_canonical and y.id <> x.account_id)),
                 -- The changes that came after it, undone or pending ones too, have nothing left to undo or to confirm.
                 u as (
                   update email_changes x set undone_at = clock_timestamp(), expires_at = clock_timestamp() from c
                   where x.account_id = c.account_id and (x.confirmed_at >= c.confirmed_at or x.confirmed_at is null) and x.undone_at is null
                   returning x.id),
                 a as (
                   update accounts y
                   set email = c.old_email, email_canonical = c.old_email_canonical, password_hash = {passwordHash},
                       password_changed_at = clock_timestamp(), auth_epoch = y.auth_epoch + 1, version = y.version + 1, updated_at = clock_timestamp()
                   from c where y.id = c.account_id),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'email_change_undone' from c
                   where x.account_id = c.account_id and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from c
                   where x.consumed_at is null
                     and (x.subject_id = c.account_id or x.subject_id in (select id from u)
                       or (x.purpose = {OneTimeToken.VerifyEmail} and x.address = c.old_email_canonical))),
                 r as (delete from registrations x using c where x.email_canonical = c.old_email_canonical),
                 f as (delete from sign_in_failures x using c where x.address_key = {addressKey} and x.last_failed_at <= now()),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.PasswordChanged},
                          jsonb_build_object('accountId', c.account_id, 'how', 'reset', 'network', {client.Network}::text, 'userAgent', {client.UserAgent}::text),
                          c.old_email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from c),
                 e as (
                   insert into audit_events (id, kind, account_id, address_key, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.EmailChangeUndone}, c.account_id, {addressKey}, {client.Network}, {client.UserAgent} from c)
                 select exists (select 1 from c) as is_done, {State}
                 from email_changes c join accounts a on a.id = c.account_id
                 where c.id = {found.ChangeId}
                 """,
            ],
            row => (IsDone: row.Get<bool>("is_done"), Found: found with
            {
                IsUndone = row.Get<bool>("is_undone"),
                IsOver = row.Get<bool>("is_over"),
                IsTaken = row.Get<bool>("is_taken"),
            }), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        if (outcome.Exists(one => one.IsDone))
        {
            work.WhenCommitted(() => events.EmailChangeUndone(found.AccountId, client.Network));
            return EmailChangeResult.Done;
        }

        // Somebody was faster between the look and the update; or else the account is not active any more.
        return outcome.Select(one => one.Found.Judge()).FirstOrDefault(EmailChangeResult.Invalid) is not EmailChangeResult.Done and var refused
            ? refused
            : EmailChangeResult.Invalid;
    }

    // Of email_changes c and its accounts a.
    private static SqlText State =>
        $"""
         c.undone_at is not null as is_undone, c.expires_at <= clock_timestamp() as is_over,
         exists (select 1 from accounts x where x.email_canonical = c.old_email_canonical and x.id <> a.id) as is_taken
         """;

    private sealed record Found(
        Guid ChangeId, Guid AccountId, string OldEmail, string OldEmailCanonical, string FirstName, string LastName, bool IsUndone, bool IsOver, bool IsTaken)
    {
        public EmailChangeResult Judge() => this switch
        {
            { IsUndone: true } => EmailChangeResult.Used,
            { IsOver: true } => EmailChangeResult.Expired,
            { IsTaken: true } => EmailChangeResult.Taken,
            _ => EmailChangeResult.Done,
        };
    }
}
