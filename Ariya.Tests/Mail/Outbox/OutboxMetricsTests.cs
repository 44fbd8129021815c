using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Outbox;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>What an operator's alerts are made of.</summary>
public sealed class OutboxMetricsTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    [Fact]
    [Trait("Promise", "P46")]
    public async Task DeadMailsReplyClassesAndTheAgeOfTheQueueAreMeasured()
    {
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "RCPT" ? moment.Recipient switch
            {
                "gone@example.com" => "550 5.1.1 no such user",
                "busy@example.com" => "451 4.7.1 later",
                _ => null,
            } : null,
        };
        var worker = Worker();
        using var measured = new Measured(worker.Metrics);
        foreach (var person in new[] { "gone", "busy", "fine" })
        {
            await WelcomeAsync($"{person}@example.com");
        }

        await worker.RunOnceAsync();
        Assert.Equal(1, measured.Sum("ariya.outbox.settled", "state", "dead"));
        Assert.Equal(1, measured.Sum("ariya.outbox.settled", "state", "sent"));
        Assert.Equal(1, measured.Sum("ariya.outbox.attempts", "reply_class", "5yz"));
        Assert.Equal(1, measured.Sum("ariya.outbox.attempts", "reply_class", "4yz"));
        Assert.Equal(1, measured.Sum("ariya.outbox.attempts", "reply_class", "2yz"));

        await SqlAsync("update outbox_messages set state = 'retry', due_at = clock_timestamp() - interval '7 minutes' where state = 'retry'");
        await worker.UseAsync<Heartbeat, int>(async heartbeat =>
        {
            await heartbeat.WriteAsync(CancellationToken.None);
            return 0;
        });
        Assert.InRange(measured.Last("ariya.outbox.oldest_due"), 420, 480);
    }

    /// <summary>Listens to the instruments of one worker.</summary>
    private sealed class Measured : IDisposable
    {
        private readonly MeterListener _listener = new();
        private readonly ConcurrentQueue<(string Name, double Value, Dictionary<string, object?> Tags)> _values = new();

        public Measured(OutboxMetrics metrics)
        {
            _listener.InstrumentPublished = (instrument, listener) =>
            {
                if (metrics.IsOwn(instrument))
                {
                    listener.EnableMeasurementEvents(instrument);
                }
            };
            _listener.SetMeasurementEventCallback<long>((instrument, value, tags, _) =>
                _values.Enqueue((instrument.Name, value, tags.ToArray().ToDictionary(tag => tag.Key, tag => tag.Value))));
            _listener.Start();
        }

        public double Sum(string name, string tag, string value) =>
            _values.Where(one => one.Name == name && Equals(one.Tags[tag], value)).Sum(one => one.Value);

        public double Last(string name)
        {
            _listener.RecordObservableInstruments();
            return _values.Last(one => one.Name == name).Value;
        }

        public void Dispose() => _listener.Dispose();
    }
}
