using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.AccountDeleted;

/// <summary>The last mail to an owner: the account was deleted. To the address before a change too, while that could be undone.</summary>
internal sealed class AccountDeletedMail(PublicUrl url) : MailKind<(Guid AccountId, Guid? ChangeId), Owner>
{
    private static readonly MailTemplate s_template = new("AccountDeleted");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.AccountDeleted];

    protected override (Guid AccountId, Guid? ChangeId) Read(LeasedMessage message) => (message.PayloadId("accountId"), message.PayloadIdOrNull("changeId"));

    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, (Guid AccountId, Guid? ChangeId) Request)> asked) =>
        $"""
         select m.message_id, coalesce(c.old_email, a.email) as email, a.first_name, a.last_name
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.AccountId).ToArray()},
           {asked.Select(one => one.Request.ChangeId).ToArray()}) as m (message_id, account_id, change_id)
         join accounts a on a.id = m.account_id and a.status = 'deleted'
         left join email_changes c on c.id = m.change_id and c.account_id = a.id
         """;

    protected override Owner Found(NpgsqlDataReader row) => Owner.Read(row);

    protected override PreparedMail Prepare(LeasedMessage message, (Guid AccountId, Guid? ChangeId) request, Owner? found)
    {
        if (found is null)
        {
            return PreparedMail.Drop(message, "the account is gone");
        }

        var (html, text) = s_template.Render(
            ("firstName", found.FirstName), ("when", MailText.Moment(message.CreatedAt)), ("network", message.PayloadText("network")),
            ("userAgent", HarmlessText.OfUserAgent(message.PayloadText("userAgent"))), ("url", url.Issuer));
        return PreparedMail.Send(message, new OutgoingMail(message.MailId, found.Email, found.Name, "Your account was deleted", html, text));
    }
}
