using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>Audit events that fit a search.</summary>
/// <param name="Events">The newest first.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record AuditFound(IReadOnlyList<AuditEventFound> Events, string? Next);

/// <summary>One security-relevant step.</summary>
/// <param name="Id">Its id.</param>
/// <param name="At">When.</param>
/// <param name="Kind">Such as session.signed_in.</param>
/// <param name="AccountId">The account that it was about.</param>
/// <param name="SessionId">The session that did it.</param>
/// <param name="Network">The network that it came from, not the address.</param>
/// <param name="UserAgent">As the program introduced itself.</param>
/// <param name="Detail">A reason or a count; of what an operator did, who that was.</param>
public sealed record AuditEventFound(
    Guid Id, DateTimeOffset At, string Kind, Guid? AccountId, Guid? SessionId, string? Network, string? UserAgent, string? Detail);

internal sealed class SearchAudit(AriyaDatabase db)
{
    /// <summary>
    /// Finds audit events by <c>account</c>, by <c>kind</c>, by the operator who did it (<c>by</c>) and by time (<c>from</c>, <c>to</c>); at most <c>limit</c> (100), from
    /// <c>cursor</c> on.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        string? account, string? kind, string? by, string? from, string? to, string? cursor, string? limit, Caller admin, ClientInfo client, SearchAudit search,
        CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var asked = new Asked(
            errors.Id("account", account), errors.Kind("kind", kind), errors.Id("by", by), errors.Moment("from", from), errors.Moment("to", to),
            errors.Cursor(cursor), errors.Limit(limit));
        return errors.Any ? Problem.Validation(errors) : TypedResults.Ok(await search.FindAsync(asked, admin, client, cancellationToken));
    }

    private async Task<AuditFound> FindAsync(Asked asked, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        SqlText sql =
            $"""
             select e.id, e.at, e.kind, e.account_id, e.session_id, e.network, e.user_agent, e.detail
             from audit_events e
             where {Condition(asked)}
             order by e.at desc, e.id desc limit {asked.Limit + 1}
             """;
        var rows = await db.QueryBatchAsync(
            [AdminAudit.Event(AuditKinds.AuditRead, admin, client, asked.Account), sql],
            row => new AuditEventFound(
                row.Get<Guid>("id"), row.Get<DateTimeOffset>("at"), row.Get<string>("kind"), row.GetNullable<Guid?>("account_id"),
                row.GetNullable<Guid?>("session_id"), row.GetNullable<string>("network"), row.GetNullable<string>("user_agent"),
                row.GetNullable<string>("detail")),
            cancellationToken);
        var (page, next) = Position.Cut(rows, asked.Limit, last => new Position(last.At, last.Id));
        return new AuditFound(page, next);
    }

    // What is asked for and nothing else is in the statement: each combination finds its index.
    private static SqlText Condition(Asked asked)
    {
        SqlText condition = $"true";
        if (asked.Account is not null)
        {
            condition = $"{condition} and e.account_id = {asked.Account}";
        }

        if (asked.Kind is not null)
        {
            condition = $"{condition} and e.kind = {asked.Kind}";
        }

        if (asked.By is { } operatorId)
        {
            condition = $"{condition} and e.kind = any({AdminAudit.Kinds}) and starts_with(e.detail, {AdminAudit.By(operatorId)})";
        }

        if (asked.From is { } from)
        {
            condition = $"{condition} and e.at >= {from}";
        }

        if (asked.To is { } to)
        {
            condition = $"{condition} and e.at < {to}";
        }

        return asked.Cursor is { } cursor ? $"{condition} and (e.at, e.id) < ({cursor.At}, {cursor.Id})" : condition;
    }

    private sealed record Asked(Guid? Account, string? Kind, Guid? By, DateTimeOffset? From, DateTimeOffset? To, Position? Cursor, int Limit);
}
