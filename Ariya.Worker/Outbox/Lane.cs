using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>One connection, with the mail that is on it.</summary>
internal sealed class Lane(IMailTransport transport)
{
    public IMailTransport Transport => transport;

    /// <summary>Greeted, as far as is known.</summary>
    public bool IsOpen { get; private set; }

    public bool IsTaken { get; private set; }
    public LeasedMessage? Mail { get; private set; }

    /// <summary>When it was taken or set free.</summary>
    public long Since { get; private set; }

    /// <summary>What it does, while it is taken.</summary>
    public Task Running { get; set; } = Task.CompletedTask;

    public void Take(LeasedMessage? mail, long now) => (IsTaken, Mail, Since) = (true, mail, now);

    public void Free(bool isOpen, long now) => (IsTaken, IsOpen, Mail, Since) = (false, isOpen, null, now);
}
