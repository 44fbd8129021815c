using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.PasswordReset;

/// <summary>
/// Somebody asked for a new password. Only here is the address looked up. A link dies when a later request's link is minted, not
/// when it is asked for: while no relay answers, or after too many requests, the last link stays good.
/// </summary>
internal sealed class PasswordResetMail(OneTimeTokenKeys tokenKeys, PublicUrl url) : MailKind<MailedToken, Owner>
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(60);
    private static readonly MailTemplate s_template = new("PasswordReset");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.PasswordReset];

    protected override string? Obstacle(LeasedMessage message) =>
        message.SubjectId is null ? "no active account has this address" : null;

    protected override MailedToken Read(LeasedMessage message) =>
        MailedToken.Derive(tokenKeys, OneTimeToken.ResetPassword, message, message.SubjectId!.Value);

    // Of one account's requests only the newest gets a link, also when an older one comes back from a retry; and none that was
    // asked for before the password was last changed.
    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, MailedToken Request)> asked) =>
        $"""
         with m as (
           select * from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.SubjectId).ToArray()},
             {asked.Select(one => one.Request.Hash).ToArray()}, {asked.Select(one => one.Message.Salt).ToArray()},
             {asked.Select(one => one.Request.KeyId).ToArray()})
             as m (message_id, account_id, token_hash, salt, key_id)),
         s as (
           select distinct on (m.account_id) m.*, a.email_canonical, a.email, a.first_name, a.last_name
           from m
           join outbox_messages o on o.id = m.message_id
           join accounts a on a.id = m.account_id and a.status = 'active' and a.password_changed_at < o.created_at
           where not exists (
             select 1 from one_time_tokens y join outbox_messages later on later.id = y.message_id
             where y.subject_id = m.account_id and y.purpose = {OneTimeToken.ResetPassword} and later.created_at > o.created_at)
           order by m.account_id, o.created_at desc),
         -- Locked in one order, so that two workers with mails to the same accounts wait for each other.
         l as materialized (
           select x.message_id from one_time_tokens x join s on x.subject_id = s.account_id
           where x.purpose = {OneTimeToken.ResetPassword} and x.consumed_at is null and x.expires_at > clock_timestamp()
             and x.message_id <> s.message_id
           order by x.message_id for update of x),
         older as (
           update one_time_tokens x set expires_at = clock_timestamp() from l where x.message_id = l.message_id),
         t as (
           insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
           select s.message_id, {OneTimeToken.ResetPassword}, s.account_id, s.email_canonical, s.token_hash, s.salt, s.key_id,
                  clock_timestamp() + {s_lifetime}
           from s
           on conflict (message_id) do update
             set token_hash = excluded.token_hash, key_id = excluded.key_id,
                 expires_at = greatest(one_time_tokens.expires_at, excluded.expires_at))
         select message_id, email, first_name, last_name from s
         """;

    protected override Owner Found(NpgsqlDataReader row) => Owner.Read(row);

    protected override PreparedMail Prepare(LeasedMessage message, MailedToken request, Owner? found)
    {
        if (found is null)
        {
            return PreparedMail.Supersede(message, "a later request or a new password took its place");
        }

        var (html, text) = s_template.Render(("firstName", found.FirstName), ("link", url.Link("reset-password", request.Token)));
        return PreparedMail.Send(message, new OutgoingMail(message.MailId, found.Email, found.Name, "Choose a new password", html, text));
    }
}
