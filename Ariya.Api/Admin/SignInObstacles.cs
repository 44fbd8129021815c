using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Admin;

/// <summary>Why somebody cannot sign in, as far as it can be seen.</summary>
/// <param name="AccountId">The account, if there is one.</param>
/// <param name="Obstacles">What stands in the way; empty when nothing is known to.</param>
/// <param name="WrongPasswords">Counters of wrong passwords and codes that are not zero.</param>
/// <param name="Refusals">The last ten wrong passwords of a day at the account.</param>
/// <param name="Mails">The last ten to the address, and whether the relay took them.</param>
/// <param name="NotSeen">What may stand in the way and cannot be seen from here.</param>
public sealed record SignInReport(
    Guid? AccountId, IReadOnlyList<SignInObstacle> Obstacles, IReadOnlyList<FailureCounter> WrongPasswords, IReadOnlyList<SignInRefusal> Refusals,
    IReadOnlyList<MailFound> Mails, IReadOnlyList<string> NotSeen);

/// <summary>One thing that stands in the way.</summary>
/// <param name="Code">
/// no_account, not_verified, disabled, deleted, delayed, password_off, codes_off, mail_waiting or mail_failed; stable.
/// </param>
/// <param name="Detail">For people.</param>
/// <param name="Since">Since when, where that is known.</param>
/// <param name="Until">When it ends by itself, if it does.</param>
public sealed record SignInObstacle(string Code, string Detail, DateTimeOffset? Since, DateTimeOffset? Until);

/// <summary>A wrong password.</summary>
/// <param name="At">When.</param>
/// <param name="Network">The network that it came from, not the address.</param>
/// <param name="UserAgent">As the program introduced itself.</param>
public sealed record SignInRefusal(DateTimeOffset At, string? Network, string? UserAgent);

internal sealed class SignInObstacles(AriyaDatabase db, AddressKeys addressKeys)
{
    private const int Lately = 10;
    private static readonly string[] s_notSeen =
    [
        "Limits are counted under keys that do not tell a network: whoever is refused by one gets 429 rate_limited, and violated-policies names it.",
        "Wrong passwords at an address without an account are in the counters only.",
    ];

    /// <summary>Why the owner of an account cannot sign in, as far as it can be seen.</summary>
    public static async Task<IResult> OfAccountAsync(
        Guid id, Caller admin, ClientInfo client, SignInObstacles obstacles, CancellationToken cancellationToken)
    {
        var address = await obstacles.AddressOfAsync(id, cancellationToken);
        return address is null
            ? Problem.NotFound()
            : TypedResults.Ok(await obstacles.FindAsync(address, $"a.id = {id}", admin, client, cancellationToken));
    }

    /// <summary>Why somebody cannot sign in with <c>email</c>, in any spelling and whether or not an account has it.</summary>
    public static async Task<IResult> OfAddressAsync(
        string? email, Caller admin, ClientInfo client, SignInObstacles obstacles, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var address = errors.Email("email", email);
        return address is null
            ? Problem.Validation(errors)
            : TypedResults.Ok(await obstacles.FindAsync(
                address.Canonical, $"a.email_canonical = {address.Canonical}", admin, client, cancellationToken));
    }

    private Task<string?> AddressOfAsync(Guid id, CancellationToken cancellationToken) =>
        db.QueryFirstAsync($"select email_canonical from accounts where id = {id}", row => row.GetString(0), cancellationToken);

    private async Task<SignInReport> FindAsync(string address, SqlText which, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var seen = new Seen();
        SqlText subject = $"(select a.id from accounts a where {which})";
        List<SqlStep> steps =
        [
            new(AdminAudit.Event(AuditKinds.ObstaclesRead, admin, client, subject, $"", addressKeys.OfCanonical(address)), _ => { }),
            new($"select a.id, a.status from accounts a where {which}", row => (seen.AccountId, seen.Status) = (row.Get<Guid>("id"), row.Get<string>("status"))),
            new($"""
                 select max(requested_at) as requested_at, max(expires_at) as expires_at
                 from registrations where email_canonical = {address} and expires_at > clock_timestamp()
                 """,
                row => (seen.RegisteredAt, seen.RegisteredUntil) =
                    (row.GetNullable<DateTimeOffset?>("requested_at"), row.GetNullable<DateTimeOffset?>("expires_at"))),
            new($"""
                 select e.at, e.detail from audit_events e
                 where e.account_id = {subject} and e.kind = {AuditKinds.AccountDisabled} order by e.at desc limit 1
                 """,
                row => (seen.DisabledAt, seen.DisabledDetail) = (row.Get<DateTimeOffset>("at"), row.GetNullable<string>("detail"))),
            new($"""
                 select e.at, e.network, e.user_agent from audit_events e
                 where e.account_id = {subject} and e.kind = {AuditKinds.SignInFailed} and e.at > now() - interval '24 hours'
                 order by e.at desc limit {Lately}
                 """,
                row => seen.Refusals.Add(new SignInRefusal(
                    row.Get<DateTimeOffset>("at"), row.GetNullable<string>("network"), row.GetNullable<string>("user_agent")))),
            MailFound.LastStep(address, seen.Mails),
            new($"select clock_timestamp() as now", row => seen.Now = row.Get<DateTimeOffset>("now")),
        ];
        // What is left of an account that is gone may be no address any more.
        if (EmailAddress.TryParse(address, out var email))
        {
            steps.Add(FailureCounter.Step(addressKeys, email, seen.Counters));
        }

        await db.BatchAsync(steps, cancellationToken);
        return new SignInReport(seen.AccountId, [.. Judge(seen)], seen.Counters, seen.Refusals, seen.Mails, s_notSeen);
    }

    private static IEnumerable<SignInObstacle> Judge(Seen seen)
    {
        if (seen.AccountId is null)
        {
            yield return seen.RegisteredAt is null
                ? new SignInObstacle("no_account", "No account has this address, and no registration of it waits.", null, null)
                : new SignInObstacle("not_verified", "A registration waits for its mailbox to be proven.", seen.RegisteredAt, seen.RegisteredUntil);
        }
        else if (seen.Status == Account.Disabled)
        {
            yield return new SignInObstacle("disabled", $"An operator disabled the account ({seen.DisabledDetail ?? "it is not known who"}).", seen.DisabledAt, null);
        }
        else if (seen.Status != Account.Active)
        {
            yield return new SignInObstacle(seen.Status, "The account is not there any more.", null, null);
        }

        foreach (var counter in seen.Counters)
        {
            if (OfCounter(counter, seen.Now) is { } obstacle)
            {
                yield return obstacle;
            }
        }

        if (seen.Mails.FirstOrDefault(mail => MailFound.KindsWithLinks.Contains(mail.Kind)) is { } last && OfMail(last) is { } ofMail)
        {
            yield return ofMail;
        }
    }

    private static SignInObstacle? OfCounter(FailureCounter counter, DateTimeOffset now)
    {
        if (counter.Of == FailureCounter.Code)
        {
            var until = counter.LastFailedAt + EmailVerification.CodeFailuresCount;
            return counter.Failures >= EmailVerification.MaxCodeFailures && until > now
                ? new SignInObstacle("codes_off", "Too many wrong codes: only the link of the verification mail works.", counter.LastFailedAt, until)
                : null;
        }

        var whom = counter.Of == FailureCounter.Password ? "" : " from a network from which the account signed in lately";
        return counter switch
        {
            { Failures: >= SignInDelay.DisableAtFailure } => new SignInObstacle(
                "password_off", $"{counter.Failures} wrong passwords{whom}: only a reset of the password helps.", counter.LastFailedAt, null),
            { DelayedUntil: { } until } => new SignInObstacle("delayed", $"{counter.Failures} wrong passwords{whom}.", counter.LastFailedAt, until),
            _ => null,
        };
    }

    private static SignInObstacle? OfMail(MailFound mail) => mail.State switch
    {
        OutboxStates.Pending or OutboxStates.Leased or OutboxStates.Retry or OutboxStates.Held => new SignInObstacle(
            "mail_waiting", $"The last mail with a link ({mail.Kind}) is not sent yet: {mail.State}{(mail.Reason is null ? "" : $", {mail.Reason}")}.", mail.CreatedAt, null),
        OutboxStates.Dead or OutboxStates.Expired => new SignInObstacle(
            "mail_failed", $"The last mail with a link ({mail.Kind}) was not delivered: {mail.State}, {mail.Reason}.", mail.SettledAt, null),
        _ => null,
    };

    private sealed class Seen
    {
        public Guid? AccountId { get; set; }
        public string Status { get; set; } = "";
        public DateTimeOffset? RegisteredAt { get; set; }
        public DateTimeOffset? RegisteredUntil { get; set; }
        public DateTimeOffset? DisabledAt { get; set; }
        public string? DisabledDetail { get; set; }
        public DateTimeOffset Now { get; set; }
        public List<FailureCounter> Counters { get; } = [];
        public List<SignInRefusal> Refusals { get; } = [];
        public List<MailFound> Mails { get; } = [];
    }
}
