using Ariya.Data;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.PasswordReset;

/// <summary>
/// Somebody asked for a new password. Only here is the address looked up. A link dies when a later request's link is minted, not
/// when it is asked for: while no relay answers, or after too many requests, the last link stays good.
/// </summary>
internal sealed class PasswordResetMail(AriyaDbContext db, OneTimeTokenKeys tokenKeys, PublicUrl url)
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromMinutes(60);
    private static readonly MailTemplate s_template = new("PasswordReset");

    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var owners = await FindAsync(messages, cancellationToken);
        var known = messages.Where(message => owners.ContainsKey(message.Recipient!)).ToList();
        var unknown = messages.Except(known).Select(message => PreparedMail.Drop(message, "no active account has this address"));
        if (known.Count == 0)
        {
            return [.. unknown];
        }

        var tokens = known.ToDictionary(message => message.Id, message => tokenKeys.Link(
            tokenKeys.KeyIdFor(message.KeyId), OneTimeToken.ResetPassword, message.Salt, message.Id, owners[message.Recipient!].Id, message.Recipient!)!);
        var minted = await MintAsync(known, owners, tokens, cancellationToken);
        return
        [
            .. known.Select(message => minted.Contains(message.Id)
                ? PreparedMail.Send(message, Render(message, owners[message.Recipient!], tokens[message.Id]))
                : PreparedMail.Supersede(message, "a later request or a new password took its place")),
            .. unknown,
        ];
    }

    private async Task<Dictionary<string, Owner>> FindAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken) =>
        (await db.QueryAsync(
            $"""
             select id, email, email_canonical, first_name, last_name from accounts
             where email_canonical = any({messages.Select(message => message.Recipient!).Distinct().ToArray()}) and status = 'active'
             """,
            row => (Address: row.Get<string>("email_canonical"), Owner: new Owner(
                row.Get<Guid>("id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"))),
            cancellationToken)).ToDictionary(found => found.Address, found => found.Owner);

    // Of one account's requests only the newest gets a link, also when an older one comes back from a retry; and none that was
    // asked for before the password was last changed.
    private async Task<HashSet<Guid>> MintAsync(
        List<LeasedMessage> messages, Dictionary<string, Owner> owners, Dictionary<Guid, string> tokens, CancellationToken cancellationToken)
    {
        var minted = await db.QueryAsync(
            $"""
             with m as (
               select * from unnest({messages.Select(message => message.Id).ToArray()},
                 {messages.Select(message => owners[message.Recipient!].Id).ToArray()},
                 {messages.Select(message => OneTimeTokenKeys.Hash(tokens[message.Id])!).ToArray()}, {messages.Select(message => message.Salt).ToArray()},
                 {messages.Select(message => tokenKeys.KeyIdFor(message.KeyId)).ToArray()})
                 as m (message_id, account_id, token_hash, salt, key_id)),
             s as (
               select distinct on (m.account_id) m.*, a.email_canonical
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
             select message_id from s
             """,
            row => row.GetGuid(0), cancellationToken);
        return [.. minted];
    }

    private OutgoingMail Render(LeasedMessage message, Owner owner, string token)
    {
        var (html, text) = s_template.Render(("firstName", owner.FirstName), ("link", url.Link("reset-password", token)));
        return new OutgoingMail(message.MailId, owner.Email, owner.Name, "Choose a new password", html, text);
    }
}
