using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>A mail with every try to hand it to the relay.</summary>
/// <param name="Mail">The mail, without what it carries.</param>
/// <param name="MessageId">Left part of the Message-ID, the same on every copy: to find it in the logs of mail servers.</param>
/// <param name="Attempts">The first try first.</param>
public sealed record MailForAdmins(MailFound Mail, Guid MessageId, IReadOnlyList<AttemptForAdmins> Attempts);

/// <summary>One try.</summary>
/// <param name="Attempt">From 1.</param>
/// <param name="Stage">How far the dialogue came: connect, mail, rcpt, data or after-dot.</param>
/// <param name="Reply">The relay's reply, or the kind of failure.</param>
/// <param name="DurationMs">How long it took.</param>
/// <param name="At">When it ended.</param>
public sealed record AttemptForAdmins(int Attempt, string Stage, string Reply, int DurationMs, DateTimeOffset At);

internal static class ReadMail
{
    /// <summary>What became of a mail, and what the relay said each time. Never its text, its links or its salt.</summary>
    public static async Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, AriyaDatabase db, CancellationToken cancellationToken)
    {
        MailForAdmins? mail = null;
        var attempts = new List<AttemptForAdmins>();
        await db.BatchAsync(
            [
                new SqlStep(
                    AdminAudit.Event(AuditKinds.MailRead, admin, client, Subject, $"from outbox_messages m where m.id = {id}", what: $"mail {id}"), _ => { }),
                new SqlStep(
                    $"select {MailFound.Columns} from outbox_messages m where m.id = {id}",
                    row => mail = new MailForAdmins(MailFound.Read(row), row.Get<Guid>("mail_id"), attempts)),
                new SqlStep(
                    $"select attempt, stage, reply, duration_ms, at from outbox_attempts where message_id = {id} order by attempt, at",
                    row => attempts.Add(new AttemptForAdmins(row.Get<int>("attempt"), row.Get<string>("stage"), row.Get<string>("reply"),
                        row.Get<int>("duration_ms"), row.Get<DateTimeOffset>("at")))),
            ],
            cancellationToken);
        return mail is null ? Problem.NotFound() : TypedResults.Ok(mail);
    }

    /// <summary>The account that has the address of <c>outbox_messages m</c>.</summary>
    internal static SqlText Subject => $"(select a.id from accounts a where a.email_canonical = m.recipient)";
}
