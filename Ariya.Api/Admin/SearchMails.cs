using System.Buffers.Binary;
using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Admin;

/// <summary>Mails that fit a search.</summary>
/// <param name="Mails">The newest first.</param>
/// <param name="Next">The cursor of the next page; null on the last.</param>
public sealed record MailsFound(IReadOnlyList<MailFound> Mails, string? Next);

internal sealed class SearchMails(AriyaDatabase db, AddressKeys addressKeys)
{
    // Ids begin with the time of the program that made them, moments of rows are the database's.
    private static readonly TimeSpan s_clocksApart = TimeSpan.FromHours(1);
    private static readonly string[] s_states =
    [
        OutboxStates.Pending, OutboxStates.Leased, OutboxStates.Retry, OutboxStates.Sent, OutboxStates.Dead, OutboxStates.Dropped, OutboxStates.Superseded,
        OutboxStates.Expired, OutboxStates.Held,
    ];

    /// <summary>
    /// Finds mails by <c>recipient</c> in any spelling, or by <c>account</c> (its address); by <c>state</c>, <c>kind</c> and time (<c>from</c>, <c>to</c>); at most
    /// <c>limit</c> (100), from <c>cursor</c> on.
    /// </summary>
    public static async Task<IResult> HandleAsync(
        string? recipient, string? account, string? state, string? kind, string? from, string? to, string? cursor, string? limit, Caller admin,
        ClientInfo client, SearchMails search, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var asked = new Asked(
            recipient is null ? null : errors.Email("recipient", recipient), errors.Id("account", account), errors.OneOf("state", state, s_states),
            errors.Kind("kind", kind), errors.Moment("from", from), errors.Moment("to", to), errors.Cursor(cursor), errors.Limit(limit));
        if (recipient is not null && account is not null)
        {
            errors.Add("account", "Use one of recipient and account.");
        }

        return errors.Any ? Problem.Validation(errors) : TypedResults.Ok(await search.FindAsync(asked, admin, client, cancellationToken));
    }

    private async Task<MailsFound> FindAsync(Asked asked, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        var audit = AdminAudit.Event(
            AuditKinds.MailSearched, admin, client, asked.Account, asked.Recipient is null ? null : addressKeys.Of(asked.Recipient), asked.Way);
        SqlText sql =
            $"""
             select {MailFound.Columns}
             from outbox_messages m
             where {Place(asked)}{State(asked)}{Details(asked)}
             {Order(asked)} limit {asked.Limit + 1}
             """;
        var rows = await db.QueryBatchAsync([audit, sql], MailFound.Read, cancellationToken);
        var (page, next) = Position.Cut(rows, asked.Limit, last => new Position(last.CreatedAt, last.Id));
        return new MailsFound(page, next);
    }

    // Those of one address go by its index, all others by their ids, which are made in the order of time: no further index is kept for every mail.
    private static SqlText Place(Asked asked)
    {
        SqlText place = asked switch
        {
            { Recipient: { } address } => $"m.recipient = {address.Canonical}",
            { Account: { } account } => $"m.recipient = (select a.email_canonical from accounts a where a.id = {account})",
            _ => $"true",
        };
        return asked.Cursor switch
        {
            null => place,
            { } cursor when asked.IsOfOneAddress => $"{place} and (m.created_at, m.id) < ({cursor.At}, {cursor.Id})",
            { } cursor => $"m.id < {cursor.Id}",
        };
    }

    private static SqlText Order(Asked asked) => asked.IsOfOneAddress switch
    {
        true => $"order by m.created_at desc, m.id desc",
        false => $"order by m.id desc",
    };

    // In the words of the indexes of those that wait and of those that are stranded.
    private static SqlText State(Asked asked) => asked.State switch
    {
        null => $"",
        OutboxStates.Pending or OutboxStates.Retry or OutboxStates.Leased => $" and m.state in ('pending', 'retry', 'leased') and m.state = {asked.State}",
        OutboxStates.Dead or OutboxStates.Expired or OutboxStates.Held => $" and m.state in ('dead', 'expired', 'held') and m.state = {asked.State}",
        _ => $" and m.state = {asked.State}",
    };

    private static SqlText Details(Asked asked)
    {
        SqlText details = $"";
        if (asked.Kind is not null)
        {
            details = $"{details} and m.kind = {asked.Kind}";
        }

        if (asked.From is { } from)
        {
            details = $"{details} and m.created_at >= {from} and m.id >= {IdAt(from - s_clocksApart, filler: 0)}";
        }

        if (asked.To is { } to)
        {
            details = $"{details} and m.created_at < {to} and m.id <= {IdAt(to + s_clocksApart, filler: 0xFF)}";
        }

        return details;
    }

    /// <summary>The first or last id that can begin with a moment (RFC 9562 section 5.7).</summary>
    private static Guid IdAt(DateTimeOffset moment, byte filler)
    {
        Span<byte> bytes = stackalloc byte[16];
        bytes.Fill(filler);
        Span<byte> milliseconds = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(milliseconds, moment.ToUnixTimeMilliseconds());
        milliseconds[2..].CopyTo(bytes);
        return new Guid(bytes, bigEndian: true);
    }

    private sealed record Asked(
        EmailAddress? Recipient, Guid? Account, string? State, string? Kind, DateTimeOffset? From, DateTimeOffset? To, Position? Cursor, int Limit)
    {
        public bool IsOfOneAddress => Recipient is not null || Account is not null;

        public string Way => Recipient is not null ? "one recipient" : Account is not null ? "one account" : State ?? "all";
    }
}
