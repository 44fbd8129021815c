using System.Text.Json;
using Ariya.Data;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.Welcome;

/// <summary>The mailbox is proven: the account exists.</summary>
internal sealed class WelcomeMail(AriyaDbContext db, PublicUrl url)
{
    private static readonly MailTemplate s_template = new("Welcome");

    public async Task<IEnumerable<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var accounts = (await db.QueryAsync(
            $"select id, email, first_name, last_name from accounts where id = any({messages.Select(AccountId).ToArray()}) and status = 'active'",
            row => (Id: row.Get<Guid>("id"), Email: row.Get<string>("email"), FirstName: row.Get<string>("first_name"), LastName: row.Get<string>("last_name")),
            cancellationToken)).ToDictionary(account => account.Id);
        return messages.Select(message => accounts.TryGetValue(AccountId(message), out var account)
            ? PreparedMail.Send(message, Render(message, account.Email, account.FirstName, account.LastName))
            : PreparedMail.Drop(message, "the account is gone or disabled"));
    }

    private OutgoingMail Render(LeasedMessage message, string email, string firstName, string lastName)
    {
        var (html, text) = s_template.Render(("firstName", firstName), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, email, $"{firstName} {lastName}", "Welcome", html, text);
    }

    private static Guid AccountId(LeasedMessage message)
    {
        using var payload = JsonDocument.Parse(message.Payload);
        return payload.RootElement.GetProperty("accountId").GetGuid();
    }
}
