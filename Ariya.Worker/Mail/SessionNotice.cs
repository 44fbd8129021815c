using Ariya.Data;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>A session that its owner is told about, with that owner.</summary>
internal sealed record SessionNotice(Guid SessionId, Owner Owner, string Network, string UserAgent, DateTimeOffset CreatedAt)
{
    /// <summary>The sessions that a batch's payloads name, with their active accounts, in one statement.</summary>
    public static async Task<Dictionary<Guid, SessionNotice>> FindAsync(
        AriyaDbContext db, IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken) =>
        (await db.QueryAsync(
            $"""
             select s.id as session_id, s.network, s.user_agent, s.created_at, a.id, a.email, a.first_name, a.last_name
             from sessions s join accounts a on a.id = s.account_id and a.status = 'active'
             where s.id = any({messages.Select(message => message.PayloadId("sessionId")).ToArray()})
             """,
            row => new SessionNotice(
                row.Get<Guid>("session_id"),
                new Owner(row.Get<Guid>("id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name")),
                row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("created_at")),
            cancellationToken)).ToDictionary(notice => notice.SessionId);
}
