using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;

namespace Ariya.Api.Accounts;

/// <summary>Changes the password of the signed-in account.</summary>
/// <param name="CurrentPassword">The one in use.</param>
/// <param name="NewPassword">15 to 256 characters.</param>
public sealed record ChangePasswordRequest(string? CurrentPassword, string? NewPassword);

/// <summary>The session that asks lives on; every other one ends.</summary>
internal sealed class ChangePassword(AriyaDatabase db, CurrentPassword currentPassword, IdempotentWork work, OutboxBell bell, AuthEvents events)
{
    public static async Task<IResult> HandleAsync(
        ChangePasswordRequest request, Caller caller, ClientInfo client, Admission admission, ChangePassword change, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var current = errors.PresentedPassword("currentPassword", request.CurrentPassword);
        var wanted = errors.NewPassword("newPassword", request.NewPassword);
        if (errors.Any)
        {
            return Problem.Validation(errors);
        }

        _ = EmailAddress.TryParse(caller.Account.Email, out var email);
        if (PasswordBlocklist.Reason(wanted, email!, caller.Account.FirstName, caller.Account.LastName) is { } reason)
        {
            return Problem.PasswordTooWeak("newPassword", reason);
        }

        return await admission.RunAsync(
            caller.Account.Id.ToString(), request, () => change.ChangeAsync(current, wanted, caller, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> ChangeAsync(string current, string wanted, Caller caller, ClientInfo client, CancellationToken cancellationToken)
    {
        var proof = await currentPassword.ProveAsync(caller.Account.Id, caller.Account.Email, current, wanted, client, cancellationToken);
        return proof.Refusal
            ?? (await ApplyAsync(caller, proof, client, cancellationToken) ? TypedResults.NoContent() : Problem.InvalidCredentials());
    }

    // The old hash in WHERE: of two changes at once, the second finds that its current password is not current any more. The delay is
    // judged again under the row's lock: of many guesses at once, the right one behind a delay changes nothing.
    private async Task<bool> ApplyAsync(Caller caller, PasswordProof proof, ClientInfo client, CancellationToken cancellationToken)
    {
        var (_, oldHash, judgingKey, newHash) = proof;
        var changed = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select 1 from sign_in_failures where key = {judgingKey} for update",
                $"""
                 update accounts set password_hash = {newHash}, password_changed_at = clock_timestamp(), auth_epoch = auth_epoch + 1,
                                     updated_at = clock_timestamp()
                 where id = {caller.Account.Id} and password_hash = {oldHash} and status = 'active'
                   and not exists (
                     select 1 from sign_in_failures
                     where key = {judgingKey} and (failures >= {SignInDelay.DisableAtFailure} or delayed_until > clock_timestamp()))
                 returning id
                 """,
                $"""
                 with a as (
                   select id, email_canonical, auth_epoch from accounts where id = {caller.Account.Id} and password_hash = {newHash}),
                 mine as (update sessions x set auth_epoch = a.auth_epoch from a where x.id = {caller.SessionId}),
                 others as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'password_changed' from a
                   where x.account_id = a.id and x.id <> {caller.SessionId} and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from a
                   where x.subject_id = a.id and x.purpose = {OneTimeToken.ResetPassword} and x.consumed_at is null),
                 f as (delete from sign_in_failures x using a where x.key = {judgingKey} and x.last_failed_at <= now()),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.PasswordChanged},
                          jsonb_build_object('accountId', a.id, 'how', 'change', 'network', {client.Network}::text, 'userAgent', {client.UserAgent}::text),
                          a.email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from a),
                 e as (
                   insert into audit_events (id, kind, account_id, session_id, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.PasswordChanged}, a.id, {caller.SessionId}, {client.Network}, {client.UserAgent} from a)
                 select id from a
                 """,
            ],
            row => row.GetGuid(0), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        if (changed.Count == 1)
        {
            work.WhenCommitted(() => events.PasswordChanged(caller.Account.Id, caller.SessionId, client.Network));
        }

        return changed.Count == 1;
    }
}
