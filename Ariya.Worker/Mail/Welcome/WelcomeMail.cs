using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.Welcome;

/// <summary>The mailbox is proven: the account exists.</summary>
internal sealed class WelcomeMail(PublicUrl url) : OwnerMail
{
    private static readonly MailTemplate s_template = new("Welcome");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.Welcome];

    protected override OutgoingMail Render(LeasedMessage message, Owner owner)
    {
        var (html, text) = s_template.Render(("firstName", owner.FirstName), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, owner.Email, owner.Name, "Welcome", html, text);
    }
}
