using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Microsoft.AspNetCore.Mvc;

namespace Ariya.Api.Accounts;

/// <summary>Deletes the account that is signed in.</summary>
/// <param name="Password">The account's password.</param>
public sealed record DeleteAccountRequest(string? Password);

/// <summary>
/// At once: nobody signs in, every session and link has ended, mails on their way are dropped and the address is free. The row, and what hangs
/// on it, goes with the clean-up when it has been kept long enough; the audit keeps the id.
/// </summary>
internal sealed class DeleteAccount(AriyaDatabase db, CurrentPassword currentPassword, CallerCache cache, OutboxBell bell, AuthEvents events)
{
    public static async Task<IResult> HandleAsync(
        [FromBody] DeleteAccountRequest request, Caller caller, ClientInfo client, Admission admission, DeleteAccount delete, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var password = errors.PresentedPassword("password", request.Password);
        return errors.Any
            ? Problem.Validation(errors)
            : await admission.RunAsync(
                caller.Account.Id.ToString(), request, () => delete.DeleteAsync(password, caller, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> DeleteAsync(string password, Caller caller, ClientInfo client, CancellationToken cancellationToken)
    {
        // The role is taken first, by revoke-admin: so there is always an admin, or somebody who was asked.
        if (caller.Account.Roles.Contains(Account.AdminRole))
        {
            return Problem.StateConflict();
        }

        var proof = await currentPassword.ProveAsync(caller.Account.Id, caller.Account.Email, password, null, client, cancellationToken);
        return proof.Refusal
            ?? (await ApplyAsync(proof, caller, client, cancellationToken) ? TypedResults.NoContent() : Problem.InvalidCredentials());
    }

    // The account's row is locked by a statement of its own: a sign-in that was waiting for it is visible to the one that ends sessions.
    private async Task<bool> ApplyAsync(PasswordProof proof, Caller caller, ClientInfo client, CancellationToken cancellationToken)
    {
        var deleted = await db.QueryBatchAsync(
            [
                $"select 1 from sign_in_failures where key = {proof.JudgingKey} for update",
                $"select 1 from accounts where id = {caller.Account.Id} for no key update",
                $"""
                 with w as (
                   select id, email_canonical from accounts
                   where id = {caller.Account.Id} and password_hash = {proof.Hash} and status = 'active' and not {Account.AdminRole} = any(roles)
                     and not exists (
                       select 1 from sign_in_failures
                       where key = {proof.JudgingKey} and (failures >= {SignInDelay.DisableAtFailure} or delayed_until > clock_timestamp()))),
                 a as (
                   update accounts x
                   set status = 'deleted', deleted_at = clock_timestamp(), email_canonical = 'deleted:' || x.id || ':' || x.email_canonical,
                       password_hash = '', auth_epoch = x.auth_epoch + 1, updated_at = clock_timestamp()
                   from w where x.id = w.id),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'account_deleted' from w
                   where x.account_id = w.id and x.revoked_at is null),
                 c as (
                   update email_changes x set expires_at = clock_timestamp() from w
                   where x.account_id = w.id and x.expires_at > clock_timestamp()
                   returning x.id, x.confirmed_at, x.old_email_canonical),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from w
                   where x.consumed_at is null and (x.subject_id = w.id or x.subject_id in (select id from c))),
                 o as (
                   update outbox_messages x set state = {OutboxStates.Dropped}, settled_at = clock_timestamp(), reason = 'the account was deleted'
                   from w
                   where x.recipient = w.email_canonical and x.state in ('pending', 'retry', 'held')),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.AccountDeleted},
                          jsonb_build_object('accountId', w.id, 'network', {client.Network}::text, 'userAgent', {client.UserAgent}::text),
                          w.email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from w),
                 -- Who could still have undone a change of address is told too: it may be the thief who deletes.
                 n as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.AccountDeleted},
                          jsonb_build_object('accountId', w.id, 'changeId', f.id, 'network', {client.Network}::text, 'userAgent', {client.UserAgent}::text),
                          f.old_email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from w, (select c.id, c.old_email_canonical from c where c.confirmed_at is not null order by c.confirmed_at limit 1) f),
                 e as (
                   insert into audit_events (id, kind, account_id, session_id, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.AccountDeleted}, w.id, {caller.SessionId}, {client.Network}, {client.UserAgent} from w)
                 select id from w
                 """,
            ],
            row => row.GetGuid(0), cancellationToken);
        if (deleted.Count == 0)
        {
            return false;
        }

        cache.ForgetAccount(caller.Account.Id);
        bell.Ring();
        events.AccountDeleted(caller.Account.Id, caller.SessionId, client.Network);
        return true;
    }
}
