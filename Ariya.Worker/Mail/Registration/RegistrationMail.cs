using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail.Registration;

/// <summary>
/// Somebody registered an address. If it is free, its mailbox gets the link and the code of that registration; the mail says when, from
/// where and under which name, so that its owner can tell a stranger's registration from their own. If it is taken, its owner is
/// told, at most once a day.
/// </summary>
internal sealed class RegistrationMail(OneTimeTokenKeys tokenKeys, PublicUrl url) : MailKind<MailedToken, FoundRegistration>
{
    private static readonly TimeSpan s_linkLifetime = TimeSpan.FromHours(24);
    private static readonly TimeSpan s_codeLifetime = TimeSpan.FromMinutes(10);
    private static readonly TimeSpan s_noticePause = TimeSpan.FromHours(24);
    private static readonly MailTemplate s_verify = new("VerifyEmail");
    private static readonly MailTemplate s_taken = new("AlreadyRegistered");

    public override IReadOnlyList<string> Names { get; } = [MailKinds.Registration, MailKinds.VerificationAgain];

    protected override string? Obstacle(LeasedMessage message) =>
        message is { Kind: MailKinds.VerificationAgain, SubjectId: null } ? "no registration waits for this address" : null;

    // The mail again means the newest live registration of the recipient.
    protected override MailedToken Read(LeasedMessage message) => MailedToken.Derive(
        tokenKeys, OneTimeToken.VerifyEmail, message, message.SubjectId ?? message.PayloadId("registrationId"));

    // The subject is judged again here, at the last moment: nothing is minted for a registration that is gone or an address that
    // has an account by now. Another try of the same mail finds its row and gives the same link more time.
    protected override SqlText Sql(IReadOnlyList<(LeasedMessage Message, MailedToken Request)> asked) =>
        $"""
         with m as (
           select * from unnest({asked.Select(one => one.Message.Id).ToArray()}, {asked.Select(one => one.Request.SubjectId).ToArray()},
             {asked.Select(one => one.Request.Hash).ToArray()}, {asked.Select(one => one.Message.Salt).ToArray()},
             {asked.Select(one => one.Request.KeyId).ToArray()})
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
         """;

    protected override FoundRegistration Found(NpgsqlDataReader row) => new(
        row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"), row.Get<string>("network"),
        row.Get<string>("user_agent"), row.Get<DateTimeOffset>("requested_at"), row.GetNullable<string>("account_email"),
        row.GetNullable<string>("account_first_name"), row.GetNullable<string>("account_last_name"), row.Get<bool>("is_noticed"));

    protected override PreparedMail Prepare(LeasedMessage message, MailedToken request, FoundRegistration? found)
    {
        if (found is null)
        {
            return PreparedMail.Drop(message, "the registration is gone");
        }

        if (found.AccountEmail is null)
        {
            return PreparedMail.Send(message, Verify(message, request, found));
        }

        return found.IsNoticed
            ? PreparedMail.Send(message, Taken(message, found))
            : PreparedMail.Drop(message, "the address has an account, whose owner was told lately");
    }

    private OutgoingMail Verify(LeasedMessage message, MailedToken request, FoundRegistration registration)
    {
        var code = tokenKeys.Code(
            request.KeyId, OneTimeToken.VerifyEmail, message.Salt, message.Id, request.SubjectId, message.Recipient!)!;
        var (html, text) = s_verify.Render(
            ("firstName", HarmlessText.OfName(registration.FirstName)), ("lastName", HarmlessText.OfName(registration.LastName)),
            ("link", url.Link("verify-email", request.Token)), ("code", code), ("when", MailText.Moment(registration.RequestedAt)),
            ("network", registration.Network), ("userAgent", HarmlessText.OfUserAgent(registration.UserAgent)));
        // No name in the To header: it was typed by whoever registered.
        return new OutgoingMail(message.MailId, registration.Email, "", "Confirm your e-mail address", html, text);
    }

    private OutgoingMail Taken(LeasedMessage message, FoundRegistration registration)
    {
        var (html, text) = s_taken.Render(
            ("firstName", registration.AccountFirstName!), ("when", MailText.Moment(registration.RequestedAt)), ("network", registration.Network),
            ("userAgent", HarmlessText.OfUserAgent(registration.UserAgent)), ("url", url.Issuer));
        return new OutgoingMail(message.MailId, registration.AccountEmail!,
            $"{registration.AccountFirstName} {registration.AccountLastName}", "You already have an account", html, text);
    }
}

/// <summary>A live registration, and the account that has its address, if one has.</summary>
internal sealed record FoundRegistration(
    string Email, string FirstName, string LastName, string Network, string UserAgent, DateTimeOffset RequestedAt,
    string? AccountEmail, string? AccountFirstName, string? AccountLastName, bool IsNoticed);
