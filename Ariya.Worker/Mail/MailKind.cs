using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Worker.Outbox;
using Npgsql;

namespace Ariya.Worker.Mail;

/// <summary>A leased row with its rendered mail, or with the state it goes to because there is nothing to send.</summary>
internal sealed record PreparedMail(LeasedMessage Message, OutgoingMail? Mail, Settlement? End)
{
    private static readonly TimeSpan s_unknownKindPause = TimeSpan.FromMinutes(5);

    public static PreparedMail Send(LeasedMessage message, OutgoingMail mail) => new(message, mail, null);

    public static PreparedMail Drop(LeasedMessage message, string reason) => new(message, null, Settlement.End(message, OutboxStates.Dropped, reason));

    public static PreparedMail Supersede(LeasedMessage message, string reason) =>
        new(message, null, Settlement.End(message, OutboxStates.Superseded, reason));

    /// <summary>A newer version wrote it: a worker of that version will come by.</summary>
    public static PreparedMail LeaveToNewer(LeasedMessage message) => new(message, null,
        new Settlement(message, OutboxStates.Retry, "this version knows no such kind of mail", s_unknownKindPause, null));

    /// <summary>A row that cannot be read or rendered ends instead of coming back for ever and holding up its batch.</summary>
    public static PreparedMail Fail(LeasedMessage message, string what) =>
        new(message, null, Settlement.End(message, OutboxStates.Dead, $"it cannot be prepared: {what}"));
}

/// <summary>What the mails of one kind ask the database, and what they become with the answer.</summary>
/// <param name="Ask">The question, unless none of them has one.</param>
/// <param name="Finish">To be called when it was answered and committed.</param>
internal sealed record MailLookup(SqlStep? Ask, Func<IEnumerable<PreparedMail>> Finish);

/// <summary>
/// A kind of mail. Its rows are looked up and their links minted in one statement for all of a claim, before the first SMTP byte, so that
/// a link is in the database before anybody can press it; and the subject is judged again there, at the last moment.
/// </summary>
internal abstract class MailKind
{
    /// <summary>As stored in rows: members of <see cref="MailKinds"/>.</summary>
    public abstract IReadOnlyList<string> Names { get; }

    public abstract MailLookup LookUp(IReadOnlyList<LeasedMessage> messages);
}

/// <typeparam name="TRequest">What a row says.</typeparam>
/// <typeparam name="TFound">What the database says to that.</typeparam>
internal abstract class MailKind<TRequest, TFound> : MailKind
    where TFound : class
{
    public sealed override MailLookup LookUp(IReadOnlyList<LeasedMessage> messages)
    {
        var asked = new List<(LeasedMessage Message, TRequest Request)>(messages.Count);
        var ended = new List<PreparedMail>();
        foreach (var message in messages)
        {
            try
            {
                if (Obstacle(message) is { } obstacle)
                {
                    ended.Add(PreparedMail.Drop(message, obstacle));
                }
                else
                {
                    asked.Add((message, Read(message)));
                }
            }
            catch (Exception exception)
            {
                // Nothing but the row is read here: it is that row's own fault, and holds up no other.
                ended.Add(PreparedMail.Fail(message, exception.GetType().Name));
            }
        }

        var found = new Dictionary<Guid, TFound>(asked.Count);
        var ask = asked.Count == 0 ? null : new SqlStep(Sql(asked), row => found[row.Get<Guid>("message_id")] = Found(row));
        return new MailLookup(ask, () => [.. ended, .. asked.Select(one => PrepareOne(one.Message, one.Request, found.GetValueOrDefault(one.Message.Id)))]);
    }

    /// <summary>Why there is nothing to send, when that is known without asking.</summary>
    protected virtual string? Obstacle(LeasedMessage message) => null;

    /// <summary>Reads a row; throws when it is not as it should be.</summary>
    protected abstract TRequest Read(LeasedMessage message);

    /// <summary>One statement for all; its rows carry <c>message_id</c>.</summary>
    protected abstract SqlText Sql(IReadOnlyList<(LeasedMessage Message, TRequest Request)> asked);

    protected abstract TFound Found(NpgsqlDataReader row);

    /// <param name="message">The row.</param>
    /// <param name="request">What it says.</param>
    /// <param name="found">What the database said, or null if nothing.</param>
    protected abstract PreparedMail Prepare(LeasedMessage message, TRequest request, TFound? found);

    private PreparedMail PrepareOne(LeasedMessage message, TRequest request, TFound? found)
    {
        try
        {
            return Prepare(message, request, found);
        }
        catch (Exception exception)
        {
            return PreparedMail.Fail(message, exception.GetType().Name);
        }
    }
}
