using Ariya.Data.Outbox;
using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>What became of a leased row.</summary>
/// <param name="Message">The row.</param>
/// <param name="State">Its next state.</param>
/// <param name="Reason">An SMTP reply or a fixed word; null leaves the last one.</param>
/// <param name="RetryIn">With <see cref="OutboxStates.Retry"/>: when to try again.</param>
/// <param name="Attempt">The dialogue that judged this mail, if one did; a relay that never came to judge it is no attempt.</param>
internal sealed record Settlement(LeasedMessage Message, string State, string? Reason, TimeSpan RetryIn, DeliveryReport? Attempt)
{
    /// <summary>Not begun: anybody's, and as it was.</summary>
    public static Settlement GiveBack(LeasedMessage message, TimeSpan pause = default) =>
        new(message, OutboxStates.Retry, null, pause, null);

    public static Settlement End(LeasedMessage message, string state, string reason) => new(message, state, reason, TimeSpan.Zero, null);
}
