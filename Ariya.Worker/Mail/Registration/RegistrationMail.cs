using System.Text.Json;
using Ariya.Data;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail.Registration;

/// <summary>
/// Somebody registered an address. If it is free, its mailbox gets the link of that registration; the mail says when, from
/// where and under which name, so that its owner can tell a stranger's registration from their own.
/// </summary>
internal sealed class RegistrationMail(AriyaDbContext db, OneTimeTokenKeys tokenKeys, PublicUrl url)
{
    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(24);
    private static readonly MailTemplate s_template = new("VerifyEmail");

    public async Task<IEnumerable<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var keyId = tokenKeys.CurrentKeyId;
        var registrationIds = messages.Select(RegistrationId).ToArray();
        var tokens = messages.Zip(registrationIds, (message, registrationId) => tokenKeys.Link(
            keyId, OneTimeToken.VerifyEmail, message.Salt, message.Id, registrationId, message.Recipient!)!).ToArray();
        // The subject is judged again here, at the last moment: nothing is minted for a registration that is gone or an address
        // that meanwhile has an account. A second try of the same mail finds its row and gives the same link more time.
        var found = await db.QueryAsync(
            $"""
             with m as (
               select * from unnest({messages.Select(message => message.Id).ToArray()}, {registrationIds},
                 {tokens.Select(token => OneTimeTokenKeys.Hash(token)!).ToArray()}, {messages.Select(message => message.Salt).ToArray()})
                 as m (message_id, registration_id, token_hash, salt)),
             s as (
               select m.*, r.email, r.email_canonical, r.first_name, r.last_name, r.network, r.user_agent, r.requested_at, a.id as account_id
               from m
               join registrations r on r.id = m.registration_id and r.expires_at > clock_timestamp()
               left join accounts a on a.email_canonical = r.email_canonical),
             t as (
               insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
               select s.message_id, {OneTimeToken.VerifyEmail}, s.registration_id, s.email_canonical, s.token_hash, s.salt, {keyId},
                      clock_timestamp() + {s_lifetime}
               from s where s.account_id is null
               on conflict (message_id) do update
                 set token_hash = excluded.token_hash, key_id = excluded.key_id,
                     expires_at = greatest(one_time_tokens.expires_at, excluded.expires_at))
             select message_id, email, first_name, last_name, network, user_agent, requested_at, account_id is not null as is_taken from s
             """,
            row => new FoundRegistration(
                row.Get<Guid>("message_id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"),
                row.Get<string>("network"), row.Get<string>("user_agent"), row.Get<DateTimeOffset>("requested_at"), row.Get<bool>("is_taken")),
            cancellationToken);
        var byMessage = found.ToDictionary(registration => registration.MessageId);
        return messages.Zip(tokens, (message, token) => Prepare(message, token, byMessage.GetValueOrDefault(message.Id)));
    }

    private PreparedMail Prepare(LeasedMessage message, string token, FoundRegistration? registration)
    {
        if (registration is null)
        {
            return PreparedMail.Drop(message, "the registration is gone");
        }

        if (registration.IsTaken)
        {
            return PreparedMail.Drop(message, "the address has an account");
        }

        var (html, text) = s_template.Render(
            ("firstName", Harmless(registration.FirstName)), ("lastName", Harmless(registration.LastName)),
            ("link", url.Link("verify-email", token)), ("when", registration.RequestedAt.ToString("d MMMM yyyy, HH:mm 'UTC'", Culture)),
            ("network", registration.Network), ("userAgent", Harmless(registration.UserAgent)));
        return PreparedMail.Send(message, new OutgoingMail(
            message.MailId, registration.Email, "", "Confirm your e-mail address", html, text));
    }

    private static System.Globalization.CultureInfo Culture => System.Globalization.CultureInfo.InvariantCulture;

    // These words were typed by whoever registered, and the mailbox may be a stranger's: mail programs must find nothing to
    // turn into a link, or the product would carry somebody's advertisement.
    private static string Harmless(string typed) =>
        typed.Contains("://", StringComparison.Ordinal) || typed.Contains("www.", StringComparison.OrdinalIgnoreCase) || LooksLikeDomain(typed)
            ? "(not shown)"
            : typed;

    private static bool LooksLikeDomain(string typed) => typed.Index().Any(place =>
        place.Item == '.' && place.Index > 0 && place.Index < typed.Length - 2
        && char.IsLetterOrDigit(typed[place.Index - 1]) && char.IsLetter(typed[place.Index + 1]) && char.IsLetter(typed[place.Index + 2]));

    private static Guid RegistrationId(LeasedMessage message)
    {
        using var payload = JsonDocument.Parse(message.Payload);
        return payload.RootElement.GetProperty("registrationId").GetGuid();
    }

    private sealed record FoundRegistration(
        Guid MessageId, string Email, string FirstName, string LastName, string Network, string UserAgent, DateTimeOffset RequestedAt, bool IsTaken);
}
