using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Outbox;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>A mail that takes another's place.</summary>
/// <param name="Id">Of the new one.</param>
public sealed record MailRequeued(Guid Id);

/// <summary>
/// A dead or late mail is not woken: a new row with its own id, salt and time takes its place, so that the old one keeps its history and a link that may have
/// gone out with it is not the new one's. The worker judges the subject again when it sends.
/// </summary>
internal sealed class RequeueMail(AriyaDatabase db, IdempotentWork work, OutboxBell bell)
{
    /// <summary>Sends a dead or expired mail again, as a new one. Refused while a later one of its kind waits for the same recipient.</summary>
    public static Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, Admission admission, RequeueMail requeue, CancellationToken cancellationToken) =>
        admission.RunAsync(
            admin.Account.Id.ToString(), new { id }, () => requeue.ApplyAsync(id, admin, client, cancellationToken), cancellationToken);

    // Two who requeue the same mail wait for each other by its row, and the second sees what the first made.
    private async Task<IResult> ApplyAsync(Guid id, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var requeued = Guid.CreateVersion7();
        var found = (await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select 1 from outbox_messages where id = {id} for update",
                $"""
                 with m as (
                   select * from outbox_messages m
                   where m.id = {id} and m.state in ('dead', 'expired') and m.recipient is not null and not {IsNewerWaiting}),
                 n as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, traceparent, salt)
                   select {requeued}, {Guid.CreateVersion7()}, m.kind, m.payload || jsonb_build_object({MailFound.RequeueMember}::text, m.id), m.recipient,
                          clock_timestamp() + (m.deliver_before - m.created_at), {Activity.Current?.Id}, {RandomNumberGenerator.GetBytes(16)}
                   from m)
                 {AdminAudit.Event(AuditKinds.MailRequeued, admin, client, ReadMail.Subject, $"from m", what: $"mail {id}")}
                 """,
                $"""
                 select exists (select 1 from outbox_messages n where n.id = {requeued}) as is_done, {IsNewerWaiting} as is_newer_waiting
                 from outbox_messages m where m.id = {id}
                 """,
            ],
            row => new Outcome(row.Get<bool>("is_done"), row.Get<bool>("is_newer_waiting")), cancellationToken), cancellationToken)).FirstOrDefault();
        work.WhenCommitted(bell.Ring);
        return found switch
        {
            null => Problem.NotFound(),
            { IsDone: true } => TypedResults.Json(new MailRequeued(requeued), statusCode: StatusCodes.Status202Accepted),
            { IsNewerWaiting: true } => Problem.NewerMailPending(),
            _ => Problem.StateConflict(),
        };
    }

    private static SqlText IsNewerWaiting =>
        $"""
         exists (
           select 1 from outbox_messages w
           where w.recipient = m.recipient and w.created_at > m.created_at and w.kind = m.kind and w.state in ('pending', 'leased', 'retry', 'held'))
         """;

    private sealed record Outcome(bool IsDone, bool IsNewerWaiting);
}
