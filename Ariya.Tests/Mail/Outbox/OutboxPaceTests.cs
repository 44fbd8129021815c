using System.Diagnostics;
using Ariya.Data.Outbox;
using Xunit.Abstractions;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>What a mail costs the database and the relay, and how soon it is on its way. Times are printed; counts are asserted.</summary>
public sealed class OutboxPaceTests(MailPostgres postgres, ITestOutputHelper output) : OutboxRoom(postgres)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);

    [Fact]
    public async Task AMailCostsAFewHundredthsOfARoundTripAndACommit()
    {
        const int Mails = 2000;
        await ResetMailsAsync(Mails);
        var worker = Worker(settings =>
        {
            // Whole batches, whatever this machine is busy with.
            settings.SettleAfter = TimeSpan.FromSeconds(1);
            settings.PollInterval = TimeSpan.FromSeconds(30);
        });
        using var trips = new RoundTrips(DatabaseName);
        await worker.StartAsync();
        await HandedAsync(Mails);
        await worker.StopAsync();
        var counted = trips.Count;

        Assert.Equal(Mails, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'"));
        output.WriteLine($"{counted} round trips, as many commits, {Relay.Sessions.Count} connections for {Mails} mails");
        Assert.InRange(counted, Mails / 100, Mails * 0.02);
        Assert.InRange(Relay.Sessions.Count, 1, 4);
    }

    [Fact]
    [Trait("Promise", "P47")]
    public async Task TwoWorkersSendTwoThousandMailsOnceEach()
    {
        const int Mails = 2000;
        await WelcomesAsync(Mails);
        InProcessWorker[] workers = [Worker(), Worker()];
        var started = Stopwatch.GetTimestamp();
        await Task.WhenAll(workers.Select(worker => worker.StartAsync()));
        await HandedAsync(Mails);
        var time = Stopwatch.GetElapsedTime(started);
        await Task.WhenAll(workers.Select(worker => worker.StopAsync()));

        output.WriteLine($"{Mails} mails by two workers: {Mails / time.TotalSeconds:F0} mails a second");
        Assert.Equal(Mails, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'"));
        Assert.Equal(Mails, Relay.Accepted.Count);
        Assert.Equal(Mails, Relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
        Assert.Equal(Mails, Relay.Accepted.Select(mail => ReceivedMail.Parse(mail.Content).MessageId).Distinct().Count());
    }

    [Fact]
    public async Task ACommittedMailWakesTheWorker()
    {
        // It would look by itself in half a minute.
        var worker = Worker(settings => settings.PollInterval = TimeSpan.FromSeconds(30));
        await worker.StartAsync();
        await WelcomeAsync("first@example.com");
        await SqlAsync("select pg_notify($1, '')", OutboxWakeUp.Channel);
        await HandedAsync(1);
        var waits = new List<double>();
        for (var number = 2; number <= 101; number++)
        {
            await WelcomeAsync($"p{number}@example.com");
            var committed = Stopwatch.GetTimestamp();
            await SqlAsync("select pg_notify($1, '')", OutboxWakeUp.Channel);
            await HandedAsync(number);
            waits.Add(Stopwatch.GetElapsedTime(committed).TotalMilliseconds);
        }

        waits.Sort();
        output.WriteLine($"From the commit to the relay: median {waits[50]:F1} ms, 95th percentile {waits[95]:F1} ms");
        Assert.InRange(waits[95], 0, 5000);
    }

    private async Task HandedAsync(int count)
    {
        var limit = Stopwatch.GetTimestamp();
        while (Relay.Handed.Count < count)
        {
            Assert.True(Stopwatch.GetElapsedTime(limit) < s_limit, $"{Relay.Handed.Count} of {count} mails");
            await Task.Yield();
        }
    }

    /// <summary>Counts the commands that reach one database; each is a round trip and, without BEGIN, a commit.</summary>
    private sealed class RoundTrips : IDisposable
    {
        private readonly ActivityListener _listener;
        private int _count;

        public RoundTrips(string database)
        {
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = activity =>
                {
                    if (Equals(activity.GetTagItem("db.namespace"), database) && activity.GetTagItem("db.query.text") is not null)
                    {
                        Interlocked.Increment(ref _count);
                    }
                },
            };
            ActivitySource.AddActivityListener(_listener);
        }

        public int Count => _count;

        public void Dispose() => _listener.Dispose();
    }
}
