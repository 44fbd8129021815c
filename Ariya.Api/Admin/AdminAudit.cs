using Ariya.Api.Http;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Admin;

/// <summary>
/// What an operator did or read, as an event of the account that it was about: so it is found with that account's history. The operator's
/// account is in the detail, the session is theirs. What was searched for is not in it.
/// </summary>
internal static class AdminAudit
{
    /// <summary>Every kind that is written here, to find what one operator did.</summary>
    public static readonly string[] Kinds =
    [
        AuditKinds.AccountsSearched, AuditKinds.AccountRead, AuditKinds.ObstaclesRead, AuditKinds.AccountDisabled, AuditKinds.AccountEnabled,
        AuditKinds.AccountSessionsEnded, AuditKinds.MailSearched, AuditKinds.MailRead, AuditKinds.MailRequeued, AuditKinds.MailCancelled,
        AuditKinds.AuditRead, AuditKinds.CleanupRequested,
    ];

    /// <summary>How the detail of everything that an operator did begins.</summary>
    public static string By(Guid adminId) => $"by {adminId}";

    /// <summary>A statement that writes an event.</summary>
    /// <param name="kind">One of <see cref="AuditKinds"/>.</param>
    /// <param name="admin">Who did it.</param>
    /// <param name="client">From where.</param>
    /// <param name="subject">The account it was about, if there is one.</param>
    /// <param name="addressKey">The address it was about, as a key.</param>
    /// <param name="what">A reason, a count or an id.</param>
    public static SqlText Event(string kind, Caller admin, ClientInfo client, Guid? subject = null, byte[]? addressKey = null, string? what = null) =>
        Event(kind, admin, client, $"{subject}::uuid", $"", addressKey, what);

    /// <summary>The same, of a subject and under a condition that the database knows.</summary>
    /// <param name="kind">One of <see cref="AuditKinds"/>.</param>
    /// <param name="admin">Who did it.</param>
    /// <param name="client">From where.</param>
    /// <param name="subject">An expression: the account it was about, or null.</param>
    /// <param name="from">Where that comes from; an event a row.</param>
    /// <param name="addressKey">The address it was about, as a key.</param>
    /// <param name="what">A reason, a count or an id.</param>
    public static SqlText Event(
        string kind, Caller admin, ClientInfo client, SqlText subject, SqlText from, byte[]? addressKey = null, string? what = null)
    {
        var detail = what is null ? By(admin.Account.Id) : $"{By(admin.Account.Id)}: {what}";
        return $"""
                insert into audit_events (id, kind, account_id, session_id, address_key, network, user_agent, detail)
                select {Guid.CreateVersion7()}, {kind}, {subject}, {admin.SessionId}, {addressKey}, {client.Network}, {client.UserAgent}, {detail} {from}
                returning 1
                """;
    }
}
