using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Accounts;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;

namespace Ariya.Api.Auth;

/// <summary>Confirms a change of address.</summary>
/// <param name="Token">From the link that was mailed to the new address.</param>
/// <param name="Password">Of the account.</param>
public sealed record ConfirmEmailChangeRequest(string? Token, string? Password);

internal enum EmailChangeResult
{
    Done,
    Invalid,
    Expired,
    Used,

    /// <summary>Another account has the address by now.</summary>
    Taken,
    TooWeak,
    Busy,
}

/// <summary>
/// The account gets its new address when that mailbox says so, and whoever reads it knows the account's password: otherwise a stranger could ask for
/// somebody's address, who presses the button of a mail from us and then lives in the stranger's account. In one commit: the address is changed,
/// every session and every other link of the account is over, and the old mailbox is told how to undo it.
/// </summary>
internal sealed class ConfirmEmailChange(
    AriyaDatabase db, CurrentPassword currentPassword, AddressKeys addressKeys, IdempotentWork work, OutboxBell bell, AuthEvents events)
{
    public static async Task<IResult> HandleAsync(
        ConfirmEmailChangeRequest request, ClientInfo client, Admission admission, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        errors.Required("token", request.Token);
        var password = errors.PresentedPassword("password", request.Password);
        return errors.Any
            ? Problem.Validation(errors)
            : await admission.RunAsync(
                request.Token!, request, async () => Answer(await confirm.ConfirmAsync(request.Token, password, client, cancellationToken)), cancellationToken);
    }

    /// <summary>What a token would do, without doing it, and the masked addresses it is about.</summary>
    public async Task<(EmailChangeResult Result, string From, string To)> LookAsync(string? token, CancellationToken cancellationToken)
    {
        var found = await FindAsync(token, cancellationToken);
        return found is null
            ? (EmailChangeResult.Invalid, "", "")
            : (found.Judge(), EmailAddress.Mask(found.OldEmail), EmailAddress.Mask(found.NewEmail));
    }

    /// <param name="token">From the link.</param>
    /// <param name="password">Of the account; a wrong one counts as it does at sign-in.</param>
    /// <param name="client">Who asks.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    /// <returns>What came of it; the answer to a password that was not the right one, or could not be judged.</returns>
    public async Task<(EmailChangeResult Result, IResult? Refusal)> ConfirmAsync(
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

        var proof = await currentPassword.ProveAsync(found.AccountId, found.OldEmail, password, null, client, cancellationToken);
        return proof.Refusal is null
            ? await ApplyAsync(found, proof, client, cancellationToken)
            : (EmailChangeResult.Invalid, proof.Refusal);
    }

    private static IResult Answer((EmailChangeResult Result, IResult? Refusal) outcome) => outcome.Refusal ?? outcome.Result switch
    {
        EmailChangeResult.Done => TypedResults.NoContent(),
        EmailChangeResult.Expired => Problem.TokenExpired(),
        EmailChangeResult.Used => Problem.TokenUsed(),
        EmailChangeResult.Taken => Problem.EmailTaken(),
        _ => Problem.TokenInvalid(),
    };

    private async Task<Found?> FindAsync(string? token, CancellationToken cancellationToken)
    {
        if (OneTimeTokenKeys.Hash(token) is not { } hash)
        {
            return null;
        }

        return await db.QueryFirstAsync(
            $"""
             select c.id, c.account_id, c.old_email, c.new_email, c.new_email_canonical, {State}
             from one_time_tokens t
             join email_changes c on c.id = t.subject_id
             join accounts a on a.id = c.account_id and a.status = 'active'
             where t.token_hash = {hash} and t.purpose = {OneTimeToken.ChangeEmail}
             """,
            row => new Found(row.Get<Guid>("id"), row.Get<Guid>("account_id"), row.Get<string>("old_email"), row.Get<string>("new_email"),
                row.Get<string>("new_email_canonical"), row.Get<bool>("is_confirmed"), row.Get<bool>("is_over"), row.Get<bool>("is_taken")),
            cancellationToken);
    }

    // The advisory lock is the one that registering and verifying take for this address: nobody else becomes its owner meanwhile. The account's
    // row is locked by a statement of its own: a sign-in that was waiting for it is visible to the one that ends sessions.
    private async Task<(EmailChangeResult Result, IResult? Refusal)> ApplyAsync(
        Found found, PasswordProof proof, ClientInfo client, CancellationToken cancellationToken)
    {
        var addressKey = addressKeys.OfCanonical(found.NewEmailCanonical);
        var outcome = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select pg_advisory_xact_lock(hashtextextended({found.NewEmailCanonical}, 0))",
                $"select 1 from sign_in_failures where address_key = {addressKey} or key = {proof.JudgingKey} order by key for update",
                $"select 1 from accounts where id = {found.AccountId} for no key update",
                $"""
                 with c as (
                   update email_changes x
                   set confirmed_at = clock_timestamp(), expires_at = clock_timestamp() + {EmailChangeUndo.Period}
                   from accounts a
                   where x.id = {found.ChangeId} and x.confirmed_at is null and x.expires_at > clock_timestamp()
                     and a.id = x.account_id and a.status = 'active' and a.auth_epoch = x.auth_epoch and a.password_hash = {proof.Hash}
                     and not exists (select 1 from accounts y where y.email_canonical = x.new_email_canonical)
                     and not exists (
                       select 1 from sign_in_failures f
                       where f.key = {proof.JudgingKey} and (f.failures >= {SignInDelay.DisableAtFailure} or f.delayed_until > clock_timestamp()))
                   returning x.id, x.account_id, x.old_email_canonical, x.new_email, x.new_email_canonical),
                 a as (
                   update accounts y
                   set email = c.new_email, email_canonical = c.new_email_canonical, verified_at = clock_timestamp(),
                       auth_epoch = y.auth_epoch + 1, version = y.version + 1, updated_at = clock_timestamp()
                   from c where y.id = c.account_id),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'email_changed' from c
                   where x.account_id = c.account_id and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from c
                   where x.consumed_at is null
                     and (x.subject_id in (c.id, c.account_id) or (x.purpose = {OneTimeToken.VerifyEmail} and x.address = c.new_email_canonical))),
                 r as (delete from registrations x using c where x.email_canonical = c.new_email_canonical),
                 -- Wrong guesses at an address that was nobody's are not the account's.
                 f as (delete from sign_in_failures x using c where x.address_key = {addressKey} and x.last_failed_at <= now()),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {Guid.CreateVersion7()}, {Guid.CreateVersion7()}, {MailKinds.EmailChanged}, jsonb_build_object('changeId', c.id),
                          c.old_email_canonical, clock_timestamp() + interval '72 hours', {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from c),
                 e as (
                   insert into audit_events (id, kind, account_id, address_key, network, user_agent)
                   select {Guid.CreateVersion7()}, {AuditKinds.EmailChanged}, c.account_id, {addressKey}, {client.Network}, {client.UserAgent} from c)
                 select exists (select 1 from c) as is_done, {State}
                 from email_changes c join accounts a on a.id = c.account_id
                 where c.id = {found.ChangeId}
                 """,
            ],
            row => (IsDone: row.Get<bool>("is_done"), Found: found with
            {
                IsConfirmed = row.Get<bool>("is_confirmed"),
                IsOver = row.Get<bool>("is_over"),
                IsTaken = row.Get<bool>("is_taken"),
            }), cancellationToken), cancellationToken);
        work.WhenCommitted(bell.Ring);
        if (outcome.Exists(one => one.IsDone))
        {
            work.WhenCommitted(() => events.EmailChanged(found.AccountId, client.Network));
            return (EmailChangeResult.Done, null);
        }

        // Somebody was faster between the look and the update; or else it is the proof that does not hold any more.
        return outcome.Select(one => one.Found.Judge()).FirstOrDefault(EmailChangeResult.Invalid) is not EmailChangeResult.Done and var refused
            ? (refused, null)
            : (EmailChangeResult.Invalid, Problem.InvalidCredentials());
    }

    // Of email_changes c and its accounts a.
    private static SqlText State =>
        $"""
         c.confirmed_at is not null as is_confirmed, c.expires_at <= clock_timestamp() or c.auth_epoch <> a.auth_epoch as is_over,
         exists (select 1 from accounts x where x.email_canonical = c.new_email_canonical and x.id <> a.id) as is_taken
         """;

    private sealed record Found(
        Guid ChangeId, Guid AccountId, string OldEmail, string NewEmail, string NewEmailCanonical, bool IsConfirmed, bool IsOver, bool IsTaken)
    {
        public EmailChangeResult Judge() => this switch
        {
            { IsConfirmed: true } => EmailChangeResult.Used,
            { IsOver: true } => EmailChangeResult.Expired,
            { IsTaken: true } => EmailChangeResult.Taken,
            _ => EmailChangeResult.Done,
        };
    }
}
