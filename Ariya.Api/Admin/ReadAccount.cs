using Ariya.Api.Accounts;
using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>An account as an operator sees it.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Email">The address as typed.</param>
/// <param name="FirstName">First name.</param>
/// <param name="LastName">Last name.</param>
/// <param name="Locale">The preferred language (BCP 47), or null.</param>
/// <param name="Vendor">The business, if it registered as one.</param>
/// <param name="Status">Such as active or disabled.</param>
/// <param name="Roles">Empty for most people.</param>
/// <param name="CreatedAt">When it began.</param>
/// <param name="VerifiedAt">When its mailbox was proven.</param>
/// <param name="PasswordChangedAt">When its password was last set.</param>
/// <param name="LastSignInAt">The last one that is kept; null if none is.</param>
/// <param name="Sessions">Where it is signed in, the newest first.</param>
/// <param name="Mails">The last ten to its address.</param>
/// <param name="WrongPasswords">Counters of wrong passwords and codes that are not zero.</param>
public sealed record AccountForAdmins(
    Guid Id, string Email, string FirstName, string LastName, string? Locale, VendorBody? Vendor, string Status, IReadOnlyList<string> Roles,
    DateTimeOffset CreatedAt, DateTimeOffset VerifiedAt, DateTimeOffset PasswordChangedAt, DateTimeOffset? LastSignInAt,
    IReadOnlyList<SessionForAdmins> Sessions, IReadOnlyList<MailFound> Mails, IReadOnlyList<FailureCounter> WrongPasswords);

/// <summary>One signed-in device.</summary>
/// <param name="Id">Its id, as the audit names it.</param>
/// <param name="CreatedAt">When it signed in.</param>
/// <param name="LastUsedAt">When it last refreshed.</param>
/// <param name="UserAgent">As it introduced itself.</param>
/// <param name="Network">The network it signed in from, not the address.</param>
public sealed record SessionForAdmins(Guid Id, DateTimeOffset CreatedAt, DateTimeOffset LastUsedAt, string UserAgent, string Network);

/// <summary>Wrong passwords or codes in a row.</summary>
/// <param name="Of">password, for everybody; password_of_known_network, for one from which the account signed in lately; or code.</param>
/// <param name="Failures">How many.</param>
/// <param name="DelayedUntil">Until when nothing is tried; null if it may be.</param>
/// <param name="LastFailedAt">When the last one was.</param>
public sealed record FailureCounter(string Of, int Failures, DateTimeOffset? DelayedUntil, DateTimeOffset LastFailedAt)
{
    internal const string Password = "password";
    internal const string PasswordOfKnownNetwork = "password_of_known_network";
    internal const string Code = "code";

    /// <summary>The counters of an address, to be read by <paramref name="counters"/>.</summary>
    internal static SqlStep Step(AddressKeys addressKeys, EmailAddress email, List<FailureCounter> counters)
    {
        var (addressKey, codesKey) = (addressKeys.Of(email), addressKeys.OfCodes(email));
        return new SqlStep(
            $"""
             select case key when {addressKey} then {Password} when {codesKey} then {Code} else {PasswordOfKnownNetwork} end as of, failures,
                    case when delayed_until > clock_timestamp() then delayed_until end as delayed_until, last_failed_at
             from sign_in_failures where address_key = any({new[] { addressKey, codesKey }}) order by last_failed_at desc
             """,
            row => counters.Add(new FailureCounter(
                row.Get<string>("of"), row.Get<int>("failures"), row.GetNullable<DateTimeOffset?>("delayed_until"), row.Get<DateTimeOffset>("last_failed_at"))));
    }
}

internal sealed class ReadAccount(AriyaDatabase db, AddressKeys addressKeys)
{
    private const int MaxSessions = 200;

    /// <summary>One account with its profile, sessions, last mails and counters.</summary>
    public static async Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, ReadAccount read, CancellationToken cancellationToken) =>
        await read.FindAsync(id, admin, client, cancellationToken) is { } found ? TypedResults.Ok(found) : Problem.NotFound();

    // Two round trips: the keys of its counters come from its address.
    private async Task<AccountForAdmins?> FindAsync(Guid id, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var account = (await db.QueryBatchAsync(
            [
                AdminAudit.Event(AuditKinds.AccountRead, admin, client, id),
                $"""
                 select a.email, a.first_name, a.last_name, a.locale, a.status, a.roles, a.created_at, a.verified_at, a.password_changed_at,
                        v.business_name, v.category, (select max(s.created_at) from sessions s where s.account_id = a.id) as last_sign_in_at
                 from accounts a left join vendors v on v.account_id = a.id where a.id = {id}
                 """,
            ],
            row => new AccountForAdmins(
                id, row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"), row.GetNullable<string>("locale"),
                row.GetNullable<string>("business_name") is { } name ? new VendorBody(name, row.Get<string>("category")) : null, row.Get<string>("status"),
                row.Get<string[]>("roles"), row.Get<DateTimeOffset>("created_at"), row.Get<DateTimeOffset>("verified_at"),
                row.Get<DateTimeOffset>("password_changed_at"), row.GetNullable<DateTimeOffset?>("last_sign_in_at"), [], [], []),
            cancellationToken)).FirstOrDefault();
        if (account is null)
        {
            return null;
        }

        var (sessions, mails, counters) = (new List<SessionForAdmins>(), new List<MailFound>(), new List<FailureCounter>());
        List<SqlStep> steps =
        [
            new($"""
                 select s.id, s.created_at, s.last_used_at, s.user_agent, s.network
                 from sessions s join accounts a on a.id = s.account_id and a.auth_epoch = s.auth_epoch
                 where s.account_id = {id} and s.revoked_at is null
                   and s.idle_expires_at > clock_timestamp() and s.expires_at > clock_timestamp()
                 order by s.created_at desc limit {MaxSessions}
                 """,
                row => sessions.Add(new SessionForAdmins(row.Get<Guid>("id"), row.Get<DateTimeOffset>("created_at"), row.Get<DateTimeOffset>("last_used_at"),
                    row.Get<string>("user_agent"), row.Get<string>("network")))),
        ];
        // The address of one that is deleted may be somebody else's by now.
        if (account.Status != Account.Deleted && EmailAddress.TryParse(account.Email, out var email))
        {
            steps.Add(MailFound.LastStep(email.Canonical, mails));
            steps.Add(FailureCounter.Step(addressKeys, email, counters));
        }

        await db.BatchAsync(steps, cancellationToken);
        return account with { Sessions = sessions, Mails = mails, WrongPasswords = counters };
    }
}
