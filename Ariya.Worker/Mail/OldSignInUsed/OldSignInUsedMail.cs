using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.OldSignInUsed;

/// <summary>
/// A refresh token that had been exchanged came back and its session was ended. It may be a thief or a copied browser profile, so the
/// mail does not cry wolf, and comes at most three times a day.
/// </summary>
internal sealed class OldSignInUsedMail(PublicUrl url) : SessionMail
{
    private const int MaxPerDay = 3;
    private static readonly MailTemplate s_template = new("OldSignInUsed");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.OldSignInUsed];

    protected override bool IsEnough(SessionNotice notice) => notice.ToldToday >= MaxPerDay;

    protected override OutgoingMail Render(LeasedMessage message, SessionNotice notice)
    {
        var (html, text) = s_template.Render(
            ("firstName", notice.Owner.FirstName), ("when", MailText.Moment(message.CreatedAt)), ("signedIn", MailText.Moment(notice.CreatedAt)),
            ("network", notice.Network), ("userAgent", HarmlessText.OfUserAgent(notice.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, notice.Owner.Email, notice.Owner.Name, "An old sign-in was used again", html, text);
    }
}
