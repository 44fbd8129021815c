using System.Diagnostics;
using System.Security.Cryptography;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Relay;
using Npgsql;
using Xunit.Abstractions;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>Workers that are killed, paused and stopped with mails in hand.</summary>
public sealed class WorkerDeathTests(MailPostgres postgres, ITestOutputHelper output) : OutboxRoom(postgres)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private static readonly (string Name, string Value) s_shortLease = ("Outbox__Lease", "00:00:05");

    [Fact]
    [Trait("Promise", "P48")]
    public async Task FiveHundredMailsArriveThoughTheWorkerIsKilledTenTimes()
    {
        const int Mails = 500;
        await ResetMailsAsync(Mails);
        Relay.Script = SlowRelay(20);
        var inFlight = new HashSet<string>();
        var moments = new List<int>();
        for (var round = 0; round < 10; round++)
        {
            await using var worker = WorkerProcess.Start(Connection, Relay.Port, s_shortLease);
            var before = Relay.Handed.Count;
            var moment = RandomNumberGenerator.GetInt32(1, 45);
            moments.Add(moment);
            await HandedAsync(Math.Min(before + moment, Mails));
            worker.Kill();
            await worker.EndAsync();
            inFlight.UnionWith((await ScalarAsync<string[]>(
                "select coalesce(array_agg(recipient), '{}') from outbox_messages where state = 'leased' and lease_owner is not null"))!);
            Assert.Equal(0, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'leased' and due_at > clock_timestamp() + interval '5 seconds'"));
        }

        Relay.Script = new RelayScript();
        await using var last = WorkerProcess.Start(Connection, Relay.Port, s_shortLease);
        await SettledAsync();

        Assert.Equal(Mails, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'"));
        var byRecipient = Relay.Accepted.GroupBy(mail => mail.Recipient).ToList();
        Assert.Equal(Mails, byRecipient.Count);
        var copied = byRecipient.Where(mails => mails.Count() > 1).ToList();
        output.WriteLine($"{Relay.Accepted.Count} mails for {Mails}, copies of {copied.Count}; killed after {string.Join(", ", moments)} mails; in flight then: {inFlight.Count}");
        Assert.All(copied, mails =>
        {
            Assert.Contains(mails.Key, inFlight);
            var copies = mails.Select(mail => ReceivedMail.Parse(mail.Content)).ToList();
            Assert.Single(copies.Select(copy => copy.MessageId).Distinct());
            Assert.Single(copies.Select(copy => copy.Token).Distinct());
        });
        Assert.All(byRecipient.Take(20), mails => Assert.True(WorksAsync(ReceivedMail.Parse(mails.Last().Content).Token).GetAwaiter().GetResult()));
    }

    [Fact]
    public async Task AWorkerThatSleptPastItsLeaseSendsNothingThatSomebodyElseSent()
    {
        const int Mails = 40;
        await WelcomesAsync(Mails);
        Relay.Script = SlowRelay(100);
        await using var sleeper = WorkerProcess.Start(Connection, Relay.Port, s_shortLease, ("Outbox__Connections", "1"));
        await HandedAsync(5);
        sleeper.Pause();
        var helper = Worker();
        await helper.StartAsync();
        await Wait.UntilAsync("the helper", s_limit, async () =>
            await ScalarAsync<long>("select count(*) from outbox_messages where state <> 'sent'") == 0 ? "done" : null);
        await helper.StopAsync();
        var sent = Relay.Accepted.Count;
        sleeper.GoOn();
        // Something new shows that it is awake.
        await WelcomeAsync("alarm@example.com");
        await Wait.UntilAsync("the sleeper", s_limit, () => Task.FromResult(Relay.Accepted.Any(mail => mail.Recipient == "alarm@example.com") ? "awake" : null));

        // The one that it had in hand when it fell asleep, at most.
        Assert.InRange(Relay.Accepted.Count - sent - 1, 0, 1);
        Assert.Equal(Mails + 1, Relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
        Assert.All(
            Relay.Accepted.GroupBy(mail => mail.Recipient),
            copies => Assert.Single(copies.Select(copy => ReceivedMail.Parse(copy.Content).MessageId).Distinct()));
    }

    [Fact]
    [Trait("Promise", "P60")]
    public async Task AWorkerThatIsAskedToStopFinishesWhatIsOnTheWayAndLeavesTheRest()
    {
        const int Mails = 100;
        await WelcomesAsync(Mails);
        Relay.Script = SlowRelay(100);
        await using var worker = WorkerProcess.Start(Connection, Relay.Port);
        await HandedAsync(10);
        worker.Ask();
        await worker.EndAsync();

        Assert.Equal(0, worker.ExitCode);
        Assert.Equal(Relay.Accepted.Count, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'"));
        Assert.InRange(Relay.Accepted.Count, 10, Mails - 1);
        Assert.Equal(Mails - Relay.Accepted.Count, await ScalarAsync<long>(
            "select count(*) from outbox_messages where state in ('pending', 'retry') and lease_owner is null and due_at <= clock_timestamp()"));
    }

    [Fact]
    [Trait("Promise", "P60")]
    public async Task AWorkerThatIsAskedToStopEndsThoughTheRelayOrTheDatabaseHangs()
    {
        await WelcomesAsync(20);
        var settings = new NpgsqlConnectionStringBuilder(Connection);
        await using var proxy = FaultProxy.To(settings.Port);
        (settings.Host, settings.Port) = ("127.0.0.1", proxy.Port);
        // The relay takes a few mails and then says nothing to their content any more.
        var contents = 0;
        // So that it gives back nothing of a slow receiver meanwhile.
        var patient = ("Outbox__SlowAfter", "00:01:00");
        Relay.Script = new() { On = moment => moment.Verb != "." ? null : Interlocked.Increment(ref contents) <= 3 ? "250 2.0.0 taken" : RelayReply.Silence };
        await using var withoutBoth = WorkerProcess.Start(settings.ConnectionString, Relay.Port, patient, ("Outbox__BatchSize", "5"));
        var held = await Wait.UntilAsync("a worker that holds all it may", s_limit, async () =>
            await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'") == 3
            && await ScalarAsync<Guid[]>("select coalesce(array_agg(id), '{}') from outbox_messages where state = 'leased'") is { Length: 10 } ids ? ids : null);
        await using var withoutRelay = WorkerProcess.Start(Connection, Relay.Port, patient);
        await Wait.UntilAsync("another that holds some", s_limit, async () =>
            await ScalarAsync<long>("select count(*) from outbox_messages where state = 'leased' and id <> all($1)", held) > 0 ? "it does" : null);
        proxy.IsBlackHole = true;
        var asked = Stopwatch.GetTimestamp();
        withoutRelay.Ask();
        withoutBoth.Ask();
        await withoutRelay.EndAsync();
        output.WriteLine($"without the relay ended after {Stopwatch.GetElapsedTime(asked).TotalSeconds:0.0} s");
        await withoutBoth.EndAsync();
        var took = Stopwatch.GetElapsedTime(asked);
        output.WriteLine($"without both ended after {took.TotalSeconds:0.0} s");

        Assert.True(withoutRelay.ExitCode == 0, $"{withoutRelay.ExitCode}: {withoutRelay.Output}");
        Assert.True(withoutBoth.ExitCode == 0, $"{withoutBoth.ExitCode}: {withoutBoth.Output}");
        Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(25));
        // What the one held is free; the leases of the other end by themselves.
        Assert.Equal(3, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from outbox_messages where lease_owner is not null and id <> all($1)", held));
    }

    private static RelayScript SlowRelay(int milliseconds) => new()
    {
        On = moment => moment.Verb == "." ? RelayReply.After(Task.Delay(milliseconds), "250 2.0.0 taken") : null,
    };

    private Task<string> HandedAsync(int count) =>
        Wait.UntilAsync($"{count} mails", s_limit, () => Task.FromResult(Relay.Handed.Count >= count ? "there" : null));

    private Task<string> SettledAsync() => Wait.UntilAsync("an empty queue", s_limit, async () =>
        await ScalarAsync<long>("select count(*) from outbox_messages where state in ('pending', 'retry', 'leased')") == 0 ? "empty" : null);
}
