using Ariya.Data;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail;

/// <summary>Whom a notice goes to: the address stored with the account, whatever the row says.</summary>
internal sealed record Owner(string Email, string FirstName, string LastName)
{
    public string Name => $"{FirstName} {LastName}";

    /// <summary>From columns <c>email</c>, <c>first_name</c>, <c>last_name</c>.</summary>
    public static Owner Read(NpgsqlDataReader row) => new(row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"));
}

/// <summary>A notice to the owner of the active account that the payload names.</summary>
internal abstract class OwnerMail : MailKind<Guid, Owner>
{
    protected sealed override Guid Read(LeasedMessage message) => message.PayloadId("accountId");

    protected sealed override SqlText Sql(IReadOnlyList<(LeasedMessage Message, Guid Request)> asked) =>
        $"""
         select m.message_id, a.email, a.first_name, a.last_name
         from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request).ToArray()}) as m (message_id, account_id)
         join accounts a on a.id = m.account_id and a.status = 'active'
         """;

    protected sealed override Owner Found(NpgsqlDataReader row) => Owner.Read(row);

    protected sealed override PreparedMail Prepare(LeasedMessage message, Guid request, Owner? found) =>
        found is null ? PreparedMail.Drop(message, "the account is gone or disabled") : PreparedMail.Send(message, Render(message, found));

    protected abstract OutgoingMail Render(LeasedMessage message, Owner owner);
}
