using Ariya.Data;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.Registration;

/// <summary>
/// Somebody registered an address. If it is free, its mailbox gets the link and the code of that registration; the mail says when, from
/// where and under which name, so that its owner can tell a stranger's registration from their own. If it is taken, its owner is
/// told, at most once a day.
/// </summary>
internal sealed class RegistrationMail(AriyaDbContext db, OneTimeTokenKeys tokenKeys, PublicUrl url)
{
    private static readonly TimeSpan s_linkLifetime = TimeSpan.FromHours(24);
    private static readonly TimeSpan s_codeLifetime = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_noticePause = TimeSpan.FromHours(24);
    private static readonly MailTemplate s_verify = new("VerifyEmail");
    private static readonly MailTemplate s_taken = new("AlreadyRegistered");

    public Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken) =>
        PrepareAsync([.. messages.Select(message => (message, message.PayloadId("registrationId")))], cancellationToken);

    /// <summary>The mail again: the newest live registration of the recipient is meant.</summary>
    public async Task<IReadOnlyList<PreparedMail>> PrepareAgainAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var newest = (await db.QueryAsync(
            $"""
             select m.message_id, r.id
             from unnest({messages.Select(message => message.Id).ToArray()}, {messages.Select(message => message.Recipient).ToArray()})
               as m (message_id, recipient)
             cross join lateral (
               select x.id from registrations x where x.email_canonical = m.recipient and x.expires_at > clock_timestamp()
               order by x.requested_at desc limit 1) r
             """,
            row => (MessageId: row.GetGuid(0), RegistrationId: row.GetGuid(1)), cancellationToken))
            .ToDictionary(found => found.MessageId, found => found.RegistrationId);
        var waiting = messages.Where(message => newest.ContainsKey(message.Id)).Select(message => (message, newest[message.Id])).ToList();
        IReadOnlyList<PreparedMail> prepared = waiting.Count == 0 ? [] : await PrepareAsync(waiting, cancellationToken);
        return [.. prepared, .. messages.Where(message => !newest.ContainsKey(message.Id)).Select(message =>
            PreparedMail.Drop(message, "no registration waits for this address"))];
    }

    private async Task<IReadOnlyList<PreparedMail>> PrepareAsync(
        IReadOnlyList<(LeasedMessage Message, Guid RegistrationId)> waiting, CancellationToken cancellationToken)
    {
        var keyIds = waiting.Select(mail => tokenKeys.KeyIdFor(mail.Message.KeyId)).ToArray();
        var tokens = waiting.Zip(keyIds, (mail, keyId) => tokenKeys.Link(
            keyId, OneTimeToken.VerifyEmail, mail.Message.Salt, mail.Message.Id, mail.RegistrationId, mail.Message.Recipient!)!).ToArray();
        var found = await MintAsync(waiting, tokens, keyIds, cancellationToken);
        return [.. waiting.Select((mail, index) => Render(mail, tokens[index], keyIds[index], found.GetValueOrDefault(mail.Message.Id)))];
    }

    // The subject is judged again here, at the last moment: nothing is minted for a registration that is gone or an address that
    // has an account by now. Another try of the same mail finds its row and gives the same link more time.
    private async Task<Dictionary<Guid, FoundRegistration>> MintAsync(
        IReadOnlyList<(LeasedMessage Message, Guid RegistrationId)> waiting, string[] tokens, string[] keyIds, CancellationToken cancellationToken)
    {
        var found = await db.QueryAsync(
            $"""
             with m as (
               select * from unnest({waiting.Select(mail => mail.Message.Id).ToArray()}, {waiting.Select(mail => mail.RegistrationId).ToArray()},
                 {tokens.Select(token => OneTimeTokenKeys.Hash(token)!).ToArray()}, {waiting.Select(mail => mail.Message.Salt).ToArray()},
                 {keyIds})
                 as m (message_id, registration_id, token_hash, salt, key_id)),
             s as (
               select m.*, r.email, r.email_canonical, r.first_name, r.last_name, r.network, r.user_agent, r.requested_at,
                      a.id as account_id, a.email as account_email, a.first_name as account_first_name, a.last_name as account_last_name
               from m
               join registrations r on r.id = m.registration_id and r.expires_at > clock_timestamp()
               left join accounts a on a.email_canonical = r.email_canonical),
             t as (
               insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at, code_expires_at)
               select s.message_id, {OneTimeToken.VerifyEmail}, s.registration_id, s.email_canonical, s.token_hash, s.salt, s.key_id,
                      clock_timestamp() + {s_linkLifetime}, clock_timestamp() + {s_codeLifetime}
               from s where s.account_id is null
               on conflict (message_id) do update
                 set token_hash = excluded.token_hash, key_id = excluded.key_id, code_expires_at = excluded.code_expires_at,
                     expires_at = greatest(one_time_tokens.expires_at, excluded.expires_at)),
             -- Locked in one order, so that two workers with notices to the same accounts wait for each other.
             l as materialized (
               select a.id from accounts a where a.id in (select account_id from s) order by a.id for no key update),
             n as (
               update accounts a set taken_notice_at = clock_timestamp(), taken_notice_message_id = f.message_id
               from (select distinct on (account_id) account_id, message_id from s where account_id is not null order by account_id, message_id) f
               join l on l.id = f.account_id
               where a.id = f.account_id and a.status = 'active'
                 and (a.taken_notice_at is null or a.taken_notice_at < clock_timestamp() - {s_noticePause}
                   or a.taken_notice_message_id = f.message_id)
               returning a.taken_notice_message_id as message_id)
             select s.message_id, s.email, s.first_name, s.last_name, s.network, s.user_agent, s.requested_at, s.account_email,
                    s.account_first_name, s.account_last_name, n.message_id is not null as is_noticed
             from s left join n on n.message_id = s.message_id
             """,
            row => new FoundRegistration(
                row.Get<Guid>("message_id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"),
                row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("requested_at"),
                row.GetNullable<string>("account_email"), row.GetNullable<string>("account_first_name"), row.GetNullable<string>("account_last_name"),
                row.Get<bool>("is_noticed")),
            cancellationToken);
        return found.ToDictionary(registration => registration.MessageId);
    }

    private PreparedMail Render(
        (LeasedMessage Message, Guid RegistrationId) waiting, string token, string keyId, FoundRegistration? registration)
    {
        var message = waiting.Message;
        if (registration is null)
        {
            return PreparedMail.Drop(message, "the registration is gone");
        }

        if (registration.AccountEmail is not null)
        {
            return registration.IsNoticed
                ? PreparedMail.Send(message, Taken(message, registration))
                : PreparedMail.Drop(message, "the address has an account, whose owner was told lately");
        }

        var code = tokenKeys.Code(keyId, OneTimeToken.VerifyEmail, message.Salt, message.Id, waiting.RegistrationId, message.Recipient!)!;
        var (html, text) = s_verify.Render(
            ("firstName", HarmlessText.OfName(registration.FirstName)), ("lastName", HarmlessText.OfName(registration.LastName)),
            ("link", url.Link("verify-email", token)), ("code", code), ("when", MailText.Moment(registration.RequestedAt)),
            ("network", registration.Network), ("userAgent", HarmlessText.OfUserAgent(registration.UserAgent)));
        // No name in the To header: it was typed by whoever registered.
        return PreparedMail.Send(message, new OutgoingMail(message.MailId, registration.Email, "", "Confirm your e-mail address", html, text));
    }

    private OutgoingMail Taken(LeasedMessage message, FoundRegistration registration)
    {
        var (html, text) = s_taken.Render(
            ("firstName", registration.AccountFirstName!), ("when", MailText.Moment(registration.RequestedAt)), ("network", registration.Network),
            ("userAgent", HarmlessText.OfUserAgent(registration.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, registration.AccountEmail!,
            $"{registration.AccountFirstName} {registration.AccountLastName}", "You already have an account", html, text);
    }

    private sealed record FoundRegistration(
        Guid MessageId, string Email, string FirstName, string LastName, string Network, string UserAgent, DateTimeOffset RequestedAt,
        string? AccountEmail, string? AccountFirstName, string? AccountLastName, bool IsNoticed);
}
