using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.AdminGranted;

/// <summary>Whom a notice goes to, and the account that became an admin.</summary>
internal sealed record NewAdmin(Owner Owner, bool IsOwner, string Email);

/// <summary>An account became an admin: its owner is told, and every admin, so that nobody becomes one unseen.</summary>
internal sealed class AdminGrantedMail(PublicUrl url) : MailKind<(Guid AccountId, Guid AdminId), NewAdmin>
{
    private static readonly MailTemplate s_template = new("AdminGranted");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.AdminGranted];

    protected override (Guid AccountId, Guid AdminId) Read(LeasedMessage message) => (message.PayloadId("accountId"), message.PayloadId("adminId"));

    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, (Guid AccountId, Guid AdminId) Request)> asked) =>
        $"""
         select m.message_id, a.email, a.first_name, a.last_name, n.id = a.id as is_owner, n.email as admin_email
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.AccountId).ToArray()},
           {asked.Select(one => one.Request.AdminId).ToArray()}) as m (message_id, account_id, admin_id)
         join accounts a on a.id = m.account_id and a.status = 'active'
         join accounts n on n.id = m.admin_id
         """;

    protected override NewAdmin Found(NpgsqlDataReader row) => new(Owner.Read(row), row.Get<bool>("is_owner"), row.Get<string>("admin_email"));

    protected override PreparedMail Prepare(LeasedMessage message, (Guid AccountId, Guid AdminId) request, NewAdmin? found)
    {
        if (found is null)
        {
            return PreparedMail.Drop(message, "the account is gone or disabled");
        }

        var masked = EmailAddress.Mask(found.Email);
        var (html, text) = s_template.Render(
            ("who", found.IsOwner ? "You" : masked), ("whoInText", found.IsOwner ? "your account" : $"the account of {masked}"),
            ("firstName", found.Owner.FirstName), ("when", MailText.Moment(message.CreatedAt)), ("url", url.Issuer));
        return PreparedMail.Send(message, new OutgoingMail(
            message.MailId, found.Owner.Email, found.Owner.Name, found.IsOwner ? "You are an admin now" : "There is a new admin", html, text));
    }
}
