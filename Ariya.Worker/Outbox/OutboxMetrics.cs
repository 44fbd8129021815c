using System.Diagnostics.Metrics;
using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>What the outbox tells about itself; docs/metrics.md lists the names.</summary>
internal sealed class OutboxMetrics : IDisposable
{
    private readonly Meter _meter = new(Telemetry.MeterName);
    private readonly Counter<long> _attempts;
    private readonly Counter<long> _settled;
    private readonly Histogram<double> _duration;
    private long _oldestDueSeconds;

    public OutboxMetrics()
    {
        _attempts = _meter.CreateCounter<long>("ariya.outbox.attempts", "{attempt}", "Dialogues with the relay about a mail, by outcome, stage and class of the reply");
        _settled = _meter.CreateCounter<long>("ariya.outbox.settled", "{mail}", "Mails by the state they went to; dead ones want a person's look");
        _duration = _meter.CreateHistogram<double>("ariya.outbox.attempt.duration", "s", "Time of such a dialogue");
        _meter.CreateObservableGauge(
            "ariya.outbox.oldest_due", () => Interlocked.Read(ref _oldestDueSeconds), "s", "How long the oldest mail that may be sent has waited");
    }

    /// <summary>Whether an instrument is this one's: several workers of one process have their own.</summary>
    internal bool IsOwn(Instrument instrument) => instrument.Meter == _meter;

    public void Attempted(string kind, DeliveryReport report)
    {
        var outcome = new KeyValuePair<string, object?>("outcome", report.Outcome.ToString());
        _attempts.Add(1, new("kind", kind), outcome, new("stage", report.Stage.ToString()), new("reply_class", report.ReplyClass));
        _duration.Record(report.Duration.TotalSeconds, outcome);
    }

    public void Settled(Settlement settlement) => _settled.Add(1, new("kind", settlement.Message.Kind), new("state", settlement.State));

    public void OldestDue(TimeSpan age) => Interlocked.Exchange(ref _oldestDueSeconds, (long)age.TotalSeconds);

    public void Dispose() => _meter.Dispose();
}
