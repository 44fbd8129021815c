using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>Sorts rows by their kind. What the kinds ask goes to the database together, in one round trip and one commit.</summary>
internal sealed class MailPreparation
{
    private readonly Dictionary<string, MailKind> _kinds;

    public MailPreparation(IEnumerable<MailKind> kinds) =>
        _kinds = kinds.SelectMany(kind => kind.Names.Select(name => (name, kind))).ToDictionary(pair => pair.name, pair => pair.kind);

    public IReadOnlyList<MailLookup> LookUp(IReadOnlyList<LeasedMessage> messages) =>
    [
        // In one order, so that two workers lock in one order: registrations, which lock accounts, before resets, which lock tokens.
        .. messages.GroupBy(message => _kinds.GetValueOrDefault(message.Kind)).OrderByDescending(group => group.Key?.Names[0], StringComparer.Ordinal).Select(group =>
            group.Key?.LookUp([.. group]) ?? new MailLookup(null, () => group.Select(PreparedMail.LeaveToNewer))),
    ];
}
