using System.Diagnostics;
using System.Security.Cryptography;
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

namespace Ariya.Api.Admin;

/// <summary>Disables an account until an operator enables it again.</summary>
/// <param name="Reason">abuse, compromised, requested or other: stands in the audit and, in words, in the mail to the owner.</param>
public sealed record DisableAccountRequest(string? Reason);

/// <summary>
/// In one commit: nobody is signed in, no mailed link works while it lasts or is sent, and the owner is told. Whoever disables is an admin under the lock of both
/// accounts and cannot mean himself: so of two admins who disable each other one is left, and there is always a last one.
/// </summary>
internal sealed class DisableAccount(AriyaDatabase db, PasswordHasher hasher, IdempotentWork work, OutboxBell bell, CallerCache cache)
{
    private const string Compromised = "compromised";
    private static readonly string[] s_reasons = ["abuse", Compromised, "requested", "other"];

    /// <summary>Ends its sessions within 2 s on every instance. One that is disabled stays as it is.</summary>
    public static async Task<IResult> HandleAsync(
        Guid id, DisableAccountRequest request, Caller admin, ClientInfo client, Admission admission, DisableAccount disable, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var reason = errors.OneOf("reason", errors.Required("reason", request.Reason), s_reasons)!;
        return errors.Any
            ? Problem.Validation(errors)
            : await admission.RunAsync(
                admin.Account.Id.ToString(), new { id, reason }, () => disable.ApplyAsync(id, reason, admin, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> ApplyAsync(Guid id, string reason, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        if (id == admin.Account.Id)
        {
            return Problem.OwnAccount();
        }

        // What somebody else may know opens nothing once the account is enabled: its owner chooses another by mail.
        string? nobodysHash = null;
        if (reason == Compromised)
        {
            await hasher.EnsureReadyAsync(cancellationToken);
            nobodysHash = hasher.Create(Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)));
        }

        // The epoch is raised before sessions are ended, by an earlier statement: a sign-in that waited for the account's row is visible to the later one.
        var status = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select 1 from accounts where id = any({new[] { id, admin.Account.Id }}) order by id for no key update",
                $"""
                 with a as (
                   update accounts set status = 'disabled', auth_epoch = auth_epoch + 1, updated_at = clock_timestamp(),
                                     password_hash = coalesce({nobodysHash}::text, password_hash)
                   where id = {id} and status = 'active'
                     and exists (
                       select 1 from accounts x where x.id = {admin.Account.Id} and x.status = 'active' and {Account.AdminRole} = any(x.roles))
                   returning id, email_canonical),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.AccountDisabled},
                          jsonb_build_object('accountId', a.id, 'reason', {reason}::text), a.email_canonical, clock_timestamp() + interval '72 hours',
                          {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from a)
                 {AdminAudit.Event(AuditKinds.AccountDisabled, admin, client, $"a.id", $"from a", what: reason)}
                 """,
                // A mail that a worker has in its hands is judged by it once more, and finds nobody to send to.
                $"""
                 with a as (select id, email_canonical from accounts where id = {id} and status = 'disabled'),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'account_disabled' from a
                   where x.account_id = a.id and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from a
                   where x.subject_id = a.id and x.purpose = {OneTimeToken.ResetPassword} and x.consumed_at is null),
                 c as materialized (
                   select o.id from outbox_messages o join a on o.recipient = a.email_canonical
                   where o.kind = any({MailFound.KindsWithLinks}) and o.state in ('pending', 'retry', 'held') for update of o skip locked),
                 m as (
                   update outbox_messages o set state = 'dropped', settled_at = clock_timestamp(), reason = 'the account was disabled' from c where o.id = c.id)
                 select status from accounts where id = {id}
                 """,
            ],
            row => row.GetString(0), cancellationToken), cancellationToken);
        work.WhenCommitted(() =>
        {
            cache.ForgetAccount(id);
            bell.Ring();
        });
        return status.FirstOrDefault() switch
        {
            Account.Disabled => TypedResults.NoContent(),
            // Still active: whoever asked is no admin any more.
            Account.Active => Problem.Forbidden(),
            null => Problem.NotFound(),
            _ => Problem.StateConflict(),
        };
    }
}
