using Ariya.Data;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>Whom a notice goes to: the address stored with the account, whatever the row says.</summary>
internal sealed record Owner(Guid Id, string Email, string FirstName, string LastName)
{
    public string Name => $"{FirstName} {LastName}";
}

/// <summary>The active accounts that a batch's payloads name, read in one statement.</summary>
internal sealed class Owners
{
    private readonly Dictionary<Guid, Owner> _byId;

    private Owners(IEnumerable<Owner> owners) => _byId = owners.ToDictionary(owner => owner.Id);

    public static async Task<Owners> FindAsync(AriyaDbContext db, IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken) =>
        new(await db.QueryAsync(
            $"""
             select id, email, first_name, last_name from accounts
             where id = any({messages.Select(message => message.PayloadId("accountId")).ToArray()}) and status = 'active'
             """,
            row => new Owner(row.Get<Guid>("id"), row.Get<string>("email"), row.Get<string>("first_name"), row.Get<string>("last_name")),
            cancellationToken));

    public PreparedMail Prepare(LeasedMessage message, Func<Owner, OutgoingMail> render) =>
        _byId.TryGetValue(message.PayloadId("accountId"), out var owner)
            ? PreparedMail.Send(message, render(owner))
            : PreparedMail.Drop(message, "the account is gone or disabled");
}
