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
    /// <summary>What a dialogue with the relay makes of a mail.</summary>
    /// <param name="message">The row.</param>
    /// <param name="report">How the dialogue went.</param>
    /// <param name="age">Since the mail was asked for.</param>
    /// <param name="jitter">0 to 1.</param>
    public static Settlement Of(LeasedMessage message, DeliveryReport report, TimeSpan age, double jitter)
    {
        switch (report.Outcome)
        {
            case DeliveryOutcome.Accepted:
                return new Settlement(message, OutboxStates.Sent, report.Reply, TimeSpan.Zero, report);
            case DeliveryOutcome.Refused:
                return new Settlement(message, OutboxStates.Dead, report.Reply, TimeSpan.Zero, report);
            case DeliveryOutcome.RelayFailed:
                // The relay's trouble, not this mail's: no try is counted. Should it be this mail after all, it comes rarer as it grows older.
                return new Settlement(message, OutboxStates.Retry, report.Reply, RetrySchedule.AfterRelayFailure(age, jitter), null);
        }

        return RetrySchedule.After(message.Attempts + 1, jitter) is { } delay
            ? new Settlement(message, OutboxStates.Retry, report.Reply, delay, report)
            : new Settlement(message, OutboxStates.Dead, $"tries used up: {report.Reply}", TimeSpan.Zero, report);
    }

    /// <summary>Not begun: anybody's, and as it was.</summary>
    public static Settlement GiveBack(LeasedMessage message, TimeSpan pause = default) =>
        new(message, OutboxStates.Retry, null, pause, null);

    public static Settlement End(LeasedMessage message, string state, string reason) => new(message, state, reason, TimeSpan.Zero, null);
}
