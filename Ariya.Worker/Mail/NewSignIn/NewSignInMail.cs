using Ariya.Data;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.NewSignIn;

/// <summary>Somebody signed in from a program or network not seen before.</summary>
internal sealed class NewSignInMail(AriyaDbContext db, PublicUrl url)
{
    private static readonly MailTemplate s_template = new("NewSignIn");

    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var notices = await SessionNotice.FindAsync(db, messages, cancellationToken);
        return [.. messages.Select(message => notices.TryGetValue(message.PayloadId("sessionId"), out var notice)
            ? PreparedMail.Send(message, Render(message, notice))
            : PreparedMail.Drop(message, "the session or its account is gone"))];
    }

    private OutgoingMail Render(LeasedMessage message, SessionNotice notice)
    {
        var (html, text) = s_template.Render(
            ("firstName", notice.Owner.FirstName), ("when", MailText.Moment(notice.CreatedAt)), ("network", notice.Network),
            ("userAgent", HarmlessText.OfUserAgent(notice.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, notice.Owner.Email, notice.Owner.Name, "New sign-in to your account", html, text);
    }
}
