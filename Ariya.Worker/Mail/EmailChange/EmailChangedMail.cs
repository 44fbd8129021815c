using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.EmailChange;

/// <summary>A change of address that was made and can be undone.</summary>
internal sealed record MadeChange(
    string OldEmail, string NewEmail, string FirstName, string LastName, string Network, string UserAgent, DateTimeOffset ConfirmedAt, DateTimeOffset ExpiresAt);

/// <summary>The account left this address. Whoever did not want that takes it back with the link, for seven days.</summary>
internal sealed class EmailChangedMail(OneTimeTokenKeys tokenKeys, PublicUrl url) : MailKind<MailedToken, MadeChange>
{
    private static readonly MailTemplate s_template = new("EmailChanged");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.EmailChanged];

    protected override MailedToken Read(LeasedMessage message) =>
        MailedToken.Derive(tokenKeys, OneTimeToken.UndoEmailChange, message, message.PayloadId("changeId"));

    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, MailedToken Request)> asked) =>
        $"""
         with m as (
           select * from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.SubjectId).ToArray()},
             {asked.Select(one => one.Request.Hash).ToArray()}, {asked.Select(one => one.Message.Salt).ToArray()},
             {asked.Select(one => one.Request.KeyId).ToArray()})
             as m (message_id, change_id, token_hash, salt, key_id)),
         s as (
           select m.*, c.old_email, c.old_email_canonical, c.new_email, c.network, c.user_agent, c.confirmed_at, c.expires_at, a.first_name, a.last_name
           from m
           join email_changes c on c.id = m.change_id and c.undone_at is null and c.expires_at > clock_timestamp()
           join accounts a on a.id = c.account_id and a.status = 'active'),
         t as (
           insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
           select s.message_id, {OneTimeToken.UndoEmailChange}, s.change_id, s.old_email_canonical, s.token_hash, s.salt, s.key_id, s.expires_at from s
           on conflict (message_id) do update set token_hash = excluded.token_hash, key_id = excluded.key_id)
         select message_id, old_email, new_email, first_name, last_name, network, user_agent, confirmed_at, expires_at from s
         """;

    protected override MadeChange Found(NpgsqlDataReader row) => new(
        row.Get<string>("old_email"), row.Get<string>("new_email"), row.Get<string>("first_name"), row.Get<string>("last_name"),
        row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("confirmed_at"), row.Get<DateTimeOffset>("expires_at"));

    protected override PreparedMail Prepare(LeasedMessage message, MailedToken request, MadeChange? found)
    {
        if (found is null)
        {
            return PreparedMail.Supersede(message, "the change was undone, or the account is gone or disabled");
        }

        var (html, text) = s_template.Render(
            ("firstName", found.FirstName), ("to", EmailAddress.Mask(found.NewEmail)), ("when", MailText.Moment(found.ConfirmedAt)),
            ("network", found.Network), ("userAgent", HarmlessText.OfUserAgent(found.UserAgent)),
            ("until", MailText.Moment(found.ExpiresAt)), ("link", url.Link("undo-email-change", request.Token)));
        return PreparedMail.Send(message, new OutgoingMail(
            message.MailId, found.OldEmail, $"{found.FirstName} {found.LastName}", "Your e-mail address was changed", html, text));
    }
}
