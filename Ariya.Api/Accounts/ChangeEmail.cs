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

namespace Ariya.Api.Accounts;

/// <summary>Asks for another address.</summary>
/// <param name="Email">The new address. It counts when its mailbox has confirmed.</param>
/// <param name="Password">The account's password.</param>
public sealed record ChangeEmailRequest(string? Email, string? Password);

/// <summary>
/// Nothing about the account changes here, and nothing is looked up about the new address: who has it is judged when its mailbox confirms.
/// </summary>
internal sealed class ChangeEmail(
    AriyaDatabase db, CurrentPassword currentPassword, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell)
{
    // Mails to one address in an hour, whichever accounts ask: with many of them nobody fills a stranger's mailbox.
    private const int MaxMailsToAddress = 5;
    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(24);

    /// <summary>
    /// 202 for a free and a taken address alike; a mail with a link goes to it. An earlier request that was not confirmed yet ends, and
    /// a new password ends this one.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        ChangeEmailRequest request, Caller caller, ClientInfo client, Admission admission, ChangeEmail change, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var email = errors.Email("email", request.Email);
        var password = errors.PresentedPassword("password", request.Password);
        if (email is not null && EmailAddress.TryParse(caller.Account.Email, out var present) && present.Canonical == email.Canonical)
        {
            errors.Add("email", "This is the account's address already.");
        }

        if (email is null || errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(
            caller.Account.Id.ToString(), request, () => change.RequestAsync(email, password, caller, client, cancellationToken), cancellationToken);
    }

    private async Task<IResult> RequestAsync(EmailAddress email, string password, Caller caller, ClientInfo client, CancellationToken cancellationToken)
    {
        var proof = await currentPassword.ProveAsync(caller.Account.Id, caller.Account.Email, password, null, client, cancellationToken);
        return proof.Refusal
            ?? (await WriteAsync(email, proof, caller, client, cancellationToken) ? TypedResults.Accepted((string?)null) : Problem.InvalidCredentials());
    }

    // The account's row is locked by a statement of its own, so that the next one sees what another request wrote while this one waited.
    private async Task<bool> WriteAsync(EmailAddress email, PasswordProof proof, Caller caller, ClientInfo client, CancellationToken cancellationToken)
    {
        var written = await work.DoAsync(() => db.QueryBatchAsync(
            [
                // Mails to one address are counted one after the other.
                $"select pg_advisory_xact_lock(hashtextextended({email.Canonical}, 0))",
                $"select 1 from sign_in_failures where key = {proof.JudgingKey} for update",
                $"select 1 from accounts where id = {caller.Account.Id} for no key update",
                $"""
                 with a as (
                   select id, email, email_canonical, auth_epoch from accounts
                   where id = {caller.Account.Id} and password_hash = {proof.Hash} and status = 'active'
                     and not exists (
                       select 1 from sign_in_failures
                       where key = {proof.JudgingKey} and (failures >= {SignInDelay.DisableAtFailure} or delayed_until > clock_timestamp()))),
                 earlier as (
                   update email_changes x set expires_at = clock_timestamp() from a
                   where x.account_id = a.id and x.confirmed_at is null and x.expires_at > clock_timestamp()),
                 c as (
                   insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network,
                                              user_agent, expires_at)
                   select {Guid.CreateVersion7()}, a.id, a.auth_epoch, a.email, a.email_canonical, {email.Address}, {email.Canonical},
                          {client.Network}, {client.UserAgent}, clock_timestamp() + {s_lifetime}
                   from a
                   returning id),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.EmailChange}, jsonb_build_object('changeId', c.id),
                          {email.Canonical}, clock_timestamp() + {s_lifetime}, {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from c
                   where (select count(*) from email_changes x
                          where x.new_email_canonical = {email.Canonical} and x.created_at > clock_timestamp() - interval '1 hour') < {MaxMailsToAddress}),
                 e as (
                   insert into audit_events (id, kind, account_id, session_id, address_key, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.EmailChangeRequested}, a.id, {caller.SessionId}, {addressKeys.Of(email)}, {client.Network},
                          {client.UserAgent}
                   from a)
                 select id from a
                 """,
            ],
            row => row.GetGuid(0), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        return written.Count == 1;
    }
}
