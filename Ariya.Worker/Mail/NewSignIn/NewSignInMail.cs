using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.NewSignIn;

/// <summary>Somebody signed in from a program or network not seen before.</summary>
internal sealed class NewSignInMail(PublicUrl url) : SessionMail
{
    private static readonly MailTemplate s_template = new("NewSignIn");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.NewSignIn];

    protected override bool IsEnough(SessionNotice notice) => false;

    protected override OutgoingMail Render(LeasedMessage message, SessionNotice notice)
    {
        var (html, text) = s_template.Render(
            ("firstName", notice.Owner.FirstName), ("when", MailText.Moment(notice.CreatedAt)), ("network", notice.Network),
            ("userAgent", HarmlessText.OfUserAgent(notice.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, notice.Owner.Email, notice.Owner.Name, "New sign-in to your account", html, text);
    }
}
