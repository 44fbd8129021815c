using Ariya.Data;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.Welcome;

/// <summary>The mailbox is proven: the account exists.</summary>
internal sealed class WelcomeMail(AriyaDbContext db, PublicUrl url)
{
    private static readonly MailTemplate s_template = new("Welcome");

    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var owners = await Owners.FindAsync(db, messages, cancellationToken);
        return [.. messages.Select(message => owners.Prepare(message, owner =>
        {
            var (html, text) = s_template.Render(("firstName", owner.FirstName), ("url", url.Issuer));
            return new OutgoingMail(message.MailId, owner.Email, owner.Name, "Welcome", html, text);
        }))];
    }
}
