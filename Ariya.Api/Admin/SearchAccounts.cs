using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>Accounts that fit a search.</summary>
/// <param name="Accounts">The newest first; of a search by how the address begins, in the order of their addresses.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record AccountsFound(IReadOnlyList<AccountFound> Accounts, string? Next);

/// <summary>An account in a list.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Email">The address as typed.</param>
/// <param name="FirstName">First name.</param>
/// <param name="LastName">Last name.</param>
/// <param name="Status">Such as active or disabled.</param>
/// <param name="Roles">Empty for most people.</param>
/// <param name="CreatedAt">When its mailbox was proven.</param>
public sealed record AccountFound(
    Guid Id, string Email, string FirstName, string LastName, string Status, IReadOnlyList<string> Roles, DateTimeOffset CreatedAt);

/// <summary>Each way of searching has an index, so that none walks through the accounts. Names have none and are not searched.</summary>
internal sealed class SearchAccounts(AriyaDatabase db, AddressKeys addressKeys)
{
    private const int MaxPrefixLength = 254;

    // Behind everything that begins with the same letters: the last code point there is.
    private const string Last = "\U0010FFFF";
    private static readonly string[] s_statuses = [Account.Active, Account.Disabled, Account.Deleted];

    /// <summary>
    /// Finds accounts by <c>id</c>, by <c>email</c> in any spelling, by how the address begins (<c>emailPrefix</c>) or by <c>status</c>; at most <c>limit</c> (100),
    /// from <c>cursor</c> on.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        string? id, string? email, string? emailPrefix, string? status, string? cursor, string? limit, Caller admin, ClientInfo client, SearchAccounts search,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var asked = new Asked(
            errors.Id("id", id), email is null ? null : errors.Email("email", email), Prefix(errors, emailPrefix), errors.OneOf("status", status, s_statuses),
            errors.Cursor(cursor), errors.Limit(limit));
        if (new object?[] { id, email, emailPrefix }.Count(way => way is not null) > 1)
        {
            errors.Add("email", "Use one of id, email and emailPrefix.");
        }

        return errors.Any ? Problem.Validation(errors) : TypedResults.Ok(await search.FindAsync(asked, admin, client, cancellationToken));
    }

    private async Task<AccountsFound> FindAsync(Asked asked, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var audit = AdminAudit.Event(
            AuditKinds.AccountsSearched, admin, client, asked.Id, asked.Email is null ? null : addressKeys.Of(asked.Email), asked.Way);
        SqlText sql =
            $"""
             select a.id, a.email, a.first_name, a.last_name, a.status, a.roles, a.created_at
             from accounts a
             where {Condition(asked)} {Order(asked)} limit {asked.Limit + 1}
             """;
        var rows = await db.QueryBatchAsync(
            [audit, sql],
            row => new AccountFound(
                row.Get<Guid>("id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name"), row.Get<string>("status"),
                row.Get<string[]>("roles"), row.Get<DateTimeOffset>("created_at")),
            cancellationToken);
        var (page, next) = Position.Cut(rows, asked.Limit, last => new Position(last.CreatedAt, last.Id));
        return new AccountsFound(page, next);
    }

    private static SqlText Condition(Asked asked)
    {
        // The few that are not active have an index of their own, which only a condition in so many words finds.
        SqlText condition = asked switch
        {
            { Status: null } => $"true",
            { Status: Account.Active } => $"a.status = 'active'",
            _ => $"a.status <> 'active' and a.status = {asked.Status}",
        };
        return asked switch
        {
            { Id: { } id } => $"a.id = {id} and {condition}",
            { Email: { } email } => $"a.email_canonical = {email.Canonical} and {condition}",
            // The cursor's account names the address behind which the next page begins: no address is in a cursor.
            { Prefix: { } prefix } =>
                $"""
                 a.email_canonical collate "C" >= {prefix} and a.email_canonical collate "C" < {prefix + Last} and {condition}
                   and ({asked.Cursor?.Id}::uuid is null
                     or a.email_canonical collate "C" > (select x.email_canonical from accounts x where x.id = {asked.Cursor?.Id}))
                 """,
            { Cursor: { } cursor } => $"a.id < {cursor.Id} and {condition}",
            _ => condition,
        };
    }

    private static SqlText Order(Asked asked) => asked.Prefix switch
    {
        null => $"order by a.id desc",
        _ => $"order by a.email_canonical collate \"C\"",
    };

    // As far as the beginning of an address can be brought into its canonical form.
    private static string? Prefix(FieldErrors errors, string? typed)
    {
        if (typed is null)
        {
            return null;
        }

        if (typed.Length is 0 or > MaxPrefixLength || !typed.IsNormalizable(out var normalized) || normalized.Any(char.IsControl))
        {
            errors.Add("emailPrefix", $"Use 1 to {MaxPrefixLength} characters.");
            return null;
        }

        return normalized.ToLowerInvariant();
    }

    private sealed record Asked(Guid? Id, EmailAddress? Email, string? Prefix, string? Status, Position? Cursor, int Limit)
    {
        public string Way => this switch
        {
            { Id: not null } => "one id",
            { Email: not null } => "one address",
            { Prefix: not null } => "the beginning of an address",
            { Status: not null } => "a status",
            _ => "all",
        };
    }
}
