using Ariya.Data.Outbox;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Outbox;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>Who holds a row, and what happens to those who hold it no more.</summary>
public sealed class OutboxLeaseTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);

    [Fact]
    [Trait("Promise", "P48")]
    public async Task WhatADeadWorkerHeldComesBackAfterItsLeaseAndNotBefore()
    {
        var id = await WelcomeAsync("grace@example.com");
        var worker = Worker();
        Assert.Single(await ClaimAsync(worker));
        Assert.InRange((await RowAsync(id)).DueInSeconds, 50, 60);
        Assert.Equal(0, await worker.RunOnceAsync());

        await SqlAsync("update outbox_messages set due_at = clock_timestamp() + interval '10 seconds'");
        Assert.Equal(0, await worker.RunOnceAsync());
        await SqlAsync("update outbox_messages set due_at = clock_timestamp() - interval '1 second'");
        Assert.Equal(1, await worker.RunOnceAsync());
        Assert.Equal(("sent", 1), (await RowAsync(id)) is var row ? (row.State, row.Attempts) : default);
    }

    [Fact]
    public async Task APausedWorkerWhoseLeaseWasTakenSettlesAndRenewsNothing()
    {
        var id = await WelcomeAsync("grace@example.com");
        var worker = Worker();
        var held = Assert.Single(await ClaimAsync(worker));
        await MakeDueAsync(id);
        var taken = Assert.Single(await ClaimAsync(worker));

        await worker.TakeTurnAsync(new OutboxTurn
        {
            Settle = [Settlement.End(held, OutboxStates.Dead, "too late")],
            Renew = [held],
        }, s_minute * 9);
        var row = await RowAsync(id);
        Assert.Equal(("leased", 0, null), (row.State, row.Attempts, row.Reason));
        Assert.InRange(row.DueInSeconds, 50, 60);
        await worker.TakeTurnAsync(new OutboxTurn { Settle = [Settlement.End(taken, OutboxStates.Dead, "refused")] });
        Assert.Equal("dead", (await RowAsync(id)).State);
    }

    [Fact]
    public async Task AMailWhoseLeaseEndedInTheHandsOfItsWorkerIsNotSentASecondTimeByIt()
    {
        var reached = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "." && reached.TrySetResult() ? RelayReply.After(gate.Task, "250 2.0.0 taken") : null,
        };
        var id = await WelcomeAsync("one@example.com");
        var worker = Worker();
        await worker.StartAsync();
        await reached.Task;
        var first = await ScalarAsync<Guid>("select lease_owner from outbox_messages");
        await MakeDueAsync(id);
        await Wait.UntilAsync("another claim", TimeSpan.FromSeconds(30), async () =>
            await ScalarAsync<bool>("select lease_owner <> $1 from outbox_messages", first) ? "claimed" : null);
        var other = await WelcomeAsync("two@example.com");
        await Wait.UntilAsync("the next mail", TimeSpan.FromSeconds(30), async () => (await RowAsync(other)).State == "sent" ? "sent" : null);
        gate.SetResult();

        await Wait.UntilAsync("the mail in hand", TimeSpan.FromSeconds(30), async () => (await RowAsync(id)).State == "sent" ? "sent" : null);
        Assert.Equal(1, (await RowAsync(id)).Attempts);
        Assert.Equal(["one@example.com", "two@example.com"], Relay.Accepted.Select(mail => mail.Recipient).Order());
    }

    [Fact]
    public async Task ASlowBatchIsKept()
    {
        var reached = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "." && reached.TrySetResult() ? RelayReply.After(gate.Task, "250 2.0.0 taken") : null,
        };
        Guid[] ids = [await WelcomeAsync("one@example.com"), await WelcomeAsync("two@example.com")];
        var slow = Worker(settings => settings.Lease = TimeSpan.FromSeconds(3));
        var sending = slow.RunOnceAsync();
        await reached.Task;
        var claimed = await ScalarAsync<DateTime>("select min(due_at) from outbox_messages where state = 'leased'");
        await Wait.UntilAsync("a lease beyond its first end", TimeSpan.FromSeconds(30), async () =>
            await ScalarAsync<bool>("select min(due_at) > $1 and clock_timestamp() > $1 from outbox_messages where state = 'leased'", claimed) ? "kept" : null);
        Assert.Equal(0, await Worker().RunOnceAsync());
        gate.SetResult();

        Assert.Equal(2, await sending);
        Assert.All(await Task.WhenAll(ids.Select(RowAsync)), row => Assert.Equal("sent", row.State));
        Assert.Equal(2, Relay.Accepted.Count);
    }

    [Fact]
    public async Task WhatWasSentIsWrittenDownWhenTheDatabaseIsBack()
    {
        var reached = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "." && reached.TrySetResult() ? RelayReply.After(gate.Task, "250 2.0.0 taken") : null,
        };
        var id = await WelcomeAsync("grace@example.com");
        var worker = Worker(settings => settings.Clock = new HastyClock(5));
        var sending = worker.RunOnceAsync();
        await reached.Task;
        await Postgres.TakeAwayAsync(DatabaseName);
        gate.SetResult();
        await worker.Log.ContainingAsync("To be written down: 1 mails");
        await Postgres.BringBackAsync(DatabaseName);

        Assert.Equal(1, await sending);
        Assert.Equal(("sent", 1), await Wait.UntilAsync("the database", TimeSpan.FromSeconds(10), () => RowOrNullAsync(id)) is var row
            ? (row.State, row.Attempts) : default);
        Assert.Single(Relay.Accepted);
    }

    private async Task<RowState?> RowOrNullAsync(Guid id)
    {
        try
        {
            return await RowAsync(id);
        }
        catch (Npgsql.NpgsqlException)
        {
            // A connection of this test's own that was cut.
            return null;
        }
    }

    private static Task<IReadOnlyList<LeasedMessage>> ClaimAsync(InProcessWorker worker) =>
        worker.TakeTurnAsync(new OutboxTurn { Claim = 10 }, s_minute);
}
