using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.OldSignInUsed;

/// <summary>
/// A refresh token that had been exchanged came back and its session was ended. It may be a thief or a copied browser profile, so the
/// mail does not cry wolf, and comes at most three times a day.
/// </summary>
internal sealed class OldSignInUsedMail(AriyaDbContext db, PublicUrl url)
{
    private const int MaxPerDay = 3;
    private static readonly MailTemplate s_template = new("OldSignInUsed");

    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var notices = await SessionNotice.FindAsync(db, messages, cancellationToken);
        var told = (await db.QueryAsync(
            $"""
             select recipient, count(*) from outbox_messages
             where kind = {MailKinds.OldSignInUsed} and state = 'sent' and created_at > clock_timestamp() - interval '24 hours'
               and recipient = any({messages.Select(message => message.Recipient!).Distinct().ToArray()})
             group by recipient
             """,
            row => (Recipient: row.GetString(0), Count: row.GetInt64(1)), cancellationToken)).ToDictionary(row => row.Recipient, row => row.Count);
        return [.. messages.Select(message => Prepare(message, notices.GetValueOrDefault(message.PayloadId("sessionId")), told))];
    }

    private PreparedMail Prepare(LeasedMessage message, SessionNotice? notice, Dictionary<string, long> told)
    {
        if (notice is null)
        {
            return PreparedMail.Drop(message, "the session or its account is gone");
        }

        var count = told.GetValueOrDefault(message.Recipient!);
        told[message.Recipient!] = count + 1;
        return count >= MaxPerDay
            ? PreparedMail.Drop(message, "the owner was told three times today")
            : PreparedMail.Send(message, Render(message, notice));
    }

    private OutgoingMail Render(LeasedMessage message, SessionNotice notice)
    {
        var (html, text) = s_template.Render(
            ("firstName", notice.Owner.FirstName), ("when", MailText.Moment(message.CreatedAt)), ("signedIn", MailText.Moment(notice.CreatedAt)),
            ("network", notice.Network), ("userAgent", HarmlessText.OfUserAgent(notice.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, notice.Owner.Email, notice.Owner.Name, "An old sign-in was used again", html, text);
    }
}
