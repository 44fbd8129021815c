using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.AccountDisabled;

/// <summary>An operator disabled the account: the one notice that goes to an account because it is not active.</summary>
internal sealed class AccountDisabledMail(PublicUrl url) : MailKind<Guid, Owner>
{
    private static readonly MailTemplate s_template = new("AccountDisabled");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.AccountDisabled];

    protected override Guid Read(LeasedMessage message) => message.PayloadId("accountId");

    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, Guid Request)> asked) =>
        $"""
         select m.message_id, a.email, a.first_name, a.last_name
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request).ToArray()}) as m (message_id, account_id)
         join accounts a on a.id = m.account_id and a.status = 'disabled'
         """;

    protected override Owner Found(NpgsqlDataReader row) => Owner.Read(row);

    protected override PreparedMail Prepare(LeasedMessage message, Guid request, Owner? found)
    {
        if (found is null)
        {
            return PreparedMail.Drop(message, "the account is gone, or active again");
        }

        var (html, text) = s_template.Render(
            ("firstName", found.FirstName), ("when", MailText.Moment(message.CreatedAt)), ("why", Why(message.PayloadText("reason"))), ("url", url.Issuer));
        return PreparedMail.Send(message, new OutgoingMail(message.MailId, found.Email, found.Name, "Your account was disabled", html, text));
    }

    private static string Why(string reason) => reason switch
    {
        "abuse" => "It was used in a way that is not allowed.",
        "compromised" => "Somebody else may have been able to use it.",
        "requested" => "This was asked for.",
        _ => "An operator decided so.",
    };
}
