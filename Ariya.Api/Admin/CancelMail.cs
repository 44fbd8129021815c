using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Admin;

internal sealed class CancelMail(AriyaDatabase db, IdempotentWork work)
{
    // What tells owners of what was done to their account is nobody's to take back.
    private static readonly string[] s_notices =
    [
        MailKinds.PasswordChanged, MailKinds.NewSignIn, MailKinds.OldSignInUsed, MailKinds.EmailChanged, MailKinds.AccountDeleted, MailKinds.AccountDisabled,
        MailKinds.AdminGranted,
    ];

    /// <summary>Takes back a mail that waits. One that a worker is sending, that has ended or that is a security notice is refused.</summary>
    public static Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, Admission admission, CancelMail cancel, CancellationToken cancellationToken) =>
        admission.RunAsync(
            admin.Account.Id.ToString(), new { id }, () => cancel.ApplyAsync(id, admin, client, cancellationToken), cancellationToken);

    // Whoever comes second finds the other's state: a worker that claims passes by a row that is held here, and a claim that came first is no state of these.
    private async Task<IResult> ApplyAsync(Guid id, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var isDone = false;
        var found = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"""
                 with m as (
                   update outbox_messages set state = 'dropped', settled_at = clock_timestamp(), reason = 'cancelled by an operator'
                   where id = {id} and state in ('pending', 'retry', 'held') and not kind = any({s_notices})
                   returning id, recipient)
                 {AdminAudit.Event(AuditKinds.MailCancelled, admin, client, ReadMail.Subject, $"from m", what: $"mail {id}")}
                 """,
                // Cancelled by this request or by one before: the same to whoever asks.
                $"select state = 'dropped' and reason = 'cancelled by an operator' from outbox_messages where id = {id}",
            ],
            row => isDone = row.GetBoolean(0), cancellationToken), cancellationToken);
        return found.Count == 0 ? Problem.NotFound() : isDone ? TypedResults.NoContent() : Problem.StateConflict();
    }
}
