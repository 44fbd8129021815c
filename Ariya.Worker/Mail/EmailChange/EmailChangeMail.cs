using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.EmailChange;

/// <summary>A change of address that waits for its new mailbox.</summary>
internal sealed record WaitingChange(string NewEmail, string FirstName, string LastName, string Network, string UserAgent, DateTimeOffset CreatedAt);

/// <summary>
/// Somebody wants this address for their account. The mailbox may be a stranger's: the mail says who asked, from where and when, and its link
/// does nothing by being opened.
/// </summary>
internal sealed class EmailChangeMail(OneTimeTokenKeys tokenKeys, PublicUrl url) : MailKind<MailedToken, WaitingChange>
{
    private static readonly MailTemplate s_template = new("ConfirmEmailChange");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.EmailChange];

    protected override MailedToken Read(LeasedMessage message) =>
        MailedToken.Derive(tokenKeys, OneTimeToken.ChangeEmail, message, message.PayloadId("changeId"));

    // Judged again at the last moment: nothing is minted for a change that is over, or that a new password has ended.
    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, MailedToken Request)> asked) =>
        $"""
         with m as (
           select * from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.SubjectId).ToArray()},
             {asked.Select(one => one.Request.Hash).ToArray()}, {asked.Select(one => one.Message.Salt).ToArray()},
             {asked.Select(one => one.Request.KeyId).ToArray()})
             as m (message_id, change_id, token_hash, salt, key_id)),
         s as (
           select m.*, c.new_email, c.new_email_canonical, c.network, c.user_agent, c.created_at, c.expires_at, a.first_name, a.last_name
           from m
           join email_changes c on c.id = m.change_id and c.confirmed_at is null and c.expires_at > clock_timestamp()
           join accounts a on a.id = c.account_id and a.status = 'active' and a.auth_epoch = c.auth_epoch),
         t as (
           insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
           select s.message_id, {OneTimeToken.ChangeEmail}, s.change_id, s.new_email_canonical, s.token_hash, s.salt, s.key_id, s.expires_at from s
           on conflict (message_id) do update set token_hash = excluded.token_hash, key_id = excluded.key_id)
         select message_id, new_email, first_name, last_name, network, user_agent, created_at from s
         """;

    protected override WaitingChange Found(NpgsqlDataReader row) => new(
        row.Get<string>("new_email"), row.Get<string>("first_name"), row.Get<string>("last_name"),
        row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("created_at"));

    protected override PreparedMail Prepare(LeasedMessage message, MailedToken request, WaitingChange? found)
    {
        if (found is null)
        {
            return PreparedMail.Supersede(message, "a later request or a new password took its place");
        }

        var (html, text) = s_template.Render(
            ("name", HarmlessText.OfName($"{found.FirstName} {found.LastName}")), ("link", url.Link("confirm-email-change", request.Token)),
            ("when", MailText.Moment(found.CreatedAt)), ("network", found.Network), ("userAgent", HarmlessText.OfUserAgent(found.UserAgent)));
        // No name in the To header: the mailbox may be somebody else's.
        return PreparedMail.Send(message, new OutgoingMail(message.MailId, found.NewEmail, "", "Confirm your new e-mail address", html, text));
    }
}
