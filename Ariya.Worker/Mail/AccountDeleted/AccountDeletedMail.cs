using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.AccountDeleted;

/// <summary>The last mail to an owner: the account was deleted.</summary>
internal sealed class AccountDeletedMail(PublicUrl url) : MailKind<Guid, Owner>
{
    private static readonly MailTemplate s_template = new("AccountDeleted");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.AccountDeleted];

    protected override Guid Read(LeasedMessage message) => message.PayloadId("accountId");

    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, Guid Request)> asked) =>
        $"""
         select m.message_id, a.email, a.first_name, a.last_name
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request).ToArray()}) as m (message_id, account_id)
         join accounts a on a.id = m.account_id and a.status = 'deleted'
         """;

    protected override Owner Found(NpgsqlDataReader row) => Owner.Read(row);

    protected override PreparedMail Prepare(LeasedMessage message, Guid request, Owner? found)
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
