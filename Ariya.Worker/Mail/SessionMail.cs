using Ariya.Data;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail;

/// <summary>A session that its owner is told about, with that owner.</summary>
/// <param name="Owner">Of the session's active account.</param>
/// <param name="Network">The network prefix of the sign-in.</param>
/// <param name="UserAgent">What the program called itself.</param>
/// <param name="CreatedAt">When the session began.</param>
/// <param name="ToldToday">Mails of this kind that were sent to the recipient in the last 24 hours, with those before it in this claim.</param>
internal sealed record SessionNotice(Owner Owner, string Network, string UserAgent, DateTimeOffset CreatedAt, long ToldToday);

/// <summary>A notice about the session that the payload names.</summary>
internal abstract class SessionMail : MailKind<Guid, SessionNotice>
{
    protected sealed override Guid Read(LeasedMessage message) => message.PayloadId("sessionId");

    protected sealed override SqlText Sql(IReadOnlyList<(LeasedMessage Message, Guid Request)> asked) =>
        $"""
         select m.message_id, s.network, s.user_agent, s.created_at, a.email, a.first_name, a.last_name,
                t.told + row_number() over (partition by m.recipient order by m.message_id) - 1 as told_today
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request).ToArray()},
           {asked.Select(one => one.Message.Recipient).ToArray()}) as m (message_id, session_id, recipient)
         join sessions s on s.id = m.session_id
         join accounts a on a.id = s.account_id and a.status = 'active'
         cross join lateral (
           select count(*) as told from outbox_messages o
           where o.recipient = m.recipient and o.created_at > clock_timestamp() - interval '24 hours' and o.kind = {Names[0]} and o.state = 'sent') t
         """;

    protected sealed override SessionNotice Found(NpgsqlDataReader row) => new(
        Owner.Read(row), row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("created_at"), row.Get<long>("told_today"));

    protected sealed override PreparedMail Prepare(LeasedMessage message, Guid request, SessionNotice? found) =>
        found is null ? PreparedMail.Drop(message, "the session or its account is gone")
        : IsEnough(found) ? PreparedMail.Drop(message, "the owner was told often enough today")
        : PreparedMail.Send(message, Render(message, found));

    protected abstract bool IsEnough(SessionNotice notice);

    protected abstract OutgoingMail Render(LeasedMessage message, SessionNotice notice);
}
