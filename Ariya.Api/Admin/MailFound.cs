using Ariya.Data;
using Ariya.Data.Outbox;
using Npgsql;

namespace Ariya.Api.Admin;

/// <summary>A mail of the outbox, without what it carries.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Kind">Such as mail.password-reset.v1.</param>
/// <param name="State">pending, leased, retry, sent, dead, dropped, superseded, expired or held: docs/outbox.md.</param>
/// <param name="Recipient">The address that was asked for; removed after a day from mails that were never sent.</param>
/// <param name="AccountId">The account that it is about, where the mail says so.</param>
/// <param name="Attempts">How often the relay judged it.</param>
/// <param name="Reason">Why it is in this state: the relay's reply or a fixed word.</param>
/// <param name="CreatedAt">When it was asked for.</param>
/// <param name="DueAt">When it is taken next, while it waits.</param>
/// <param name="DeliverBefore">After this it is of no use any more.</param>
/// <param name="SettledAt">When it ended.</param>
/// <param name="RequeueOf">The mail that it was made from by an operator.</param>
public sealed record MailFound(
    Guid Id, string Kind, string State, string? Recipient, Guid? AccountId, int Attempts, string? Reason, DateTimeOffset CreatedAt, DateTimeOffset? DueAt,
    DateTimeOffset DeliverBefore, DateTimeOffset? SettledAt, Guid? RequeueOf)
{
    internal const string RequeueMember = "requeueOf";

    private const int Lately = 10;

    /// <summary>Mails that let somebody sign in who cannot.</summary>
    internal static readonly string[] KindsWithLinks = [MailKinds.Registration, MailKinds.VerificationAgain, MailKinds.PasswordReset];

    /// <summary>The columns of <c>outbox_messages m</c> that are shown. Neither salt nor payload is.</summary>
    internal static SqlText Columns =>
        $"""
         m.id, m.kind, m.state, m.recipient, m.attempts, m.reason, m.created_at, m.deliver_before, m.settled_at, m.mail_id,
         case when m.state in ('pending', 'retry') then m.due_at end as due_at,
         m.payload->>'accountId' as account_id, m.payload->>{RequeueMember} as requeue_of
         """;

    internal static MailFound Read(NpgsqlDataReader row) => new(
        row.Get<Guid>("id"), row.Get<string>("kind"), row.Get<string>("state"), row.GetNullable<string>("recipient"), IdOf(row, "account_id"),
        row.Get<int>("attempts"), row.GetNullable<string>("reason"), row.Get<DateTimeOffset>("created_at"), row.GetNullable<DateTimeOffset?>("due_at"),
        row.Get<DateTimeOffset>("deliver_before"), row.GetNullable<DateTimeOffset?>("settled_at"), IdOf(row, "requeue_of"));

    /// <summary>The last mails to an address, to be read by <paramref name="mails"/>.</summary>
    internal static SqlStep LastStep(string recipient, List<MailFound> mails) => new(
        $"select {Columns} from outbox_messages m where m.recipient = {recipient} order by m.created_at desc limit {Lately}", row => mails.Add(Read(row)));

    private static Guid? IdOf(NpgsqlDataReader row, string column) => Guid.TryParse(row.GetNullable<string>(column), out var id) ? id : null;
}
