using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.PasswordChanged;

/// <summary>The password was reset or changed; whoever did not do it learns how to take the account back.</summary>
internal sealed class PasswordChangedMail(PublicUrl url) : OwnerMail
{
    private static readonly MailTemplate s_template = new("PasswordChanged");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.PasswordChanged];

    protected override OutgoingMail Render(LeasedMessage message, Owner owner)
    {
        var (html, text) = s_template.Render(
            ("firstName", owner.FirstName), ("how", message.PayloadText("how") == "reset" ? "with a mailed link" : "by somebody who was signed in"),
            ("when", MailText.Moment(message.CreatedAt)), ("network", message.PayloadText("network")),
            ("userAgent", HarmlessText.OfUserAgent(message.PayloadText("userAgent"))), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, owner.Email, owner.Name, "Your password was changed", html, text);
    }
}
