using Ariya.Data.Outbox;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Outbox;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>Who holds a row, and what happens to those who hold it no more.</summary>
public sealed class OutboxLeaseTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly TimeSpan s_minute = TimeSpan.FromMinutes(1);
    private readonly Guid _paused = Guid.CreateVersion7();

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
        var other = Guid.CreateVersion7();
        Assert.Single(await ClaimAsync(worker, other));

        Settlement[] settlement = [new(held, OutboxStates.Dead, "too late", TimeSpan.Zero, null)];
        Assert.Equal(0, await worker.UseAsync<OutboxQueue, int>(queue =>
            queue.RenewAsync(_paused, [id], s_minute * 9, CancellationToken.None)));
        Assert.Equal(0, await worker.UseAsync<OutboxQueue, int>(queue => queue.SettleAsync(_paused, settlement, CancellationToken.None)));
        var row = await RowAsync(id);
        Assert.Equal(("leased", 0, null), (row.State, row.Attempts, row.Reason));
        Assert.InRange(row.DueInSeconds, 50, 60);
        Assert.Equal(1, await worker.UseAsync<OutboxQueue, int>(queue => queue.SettleAsync(other, settlement, CancellationToken.None)));
        Assert.Equal("dead", (await RowAsync(id)).State);
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
        var claimed = await ScalarAsync<DateTime>("select min(due_at) from outbox_messages");
        await Wait.UntilAsync("a lease beyond its first end", TimeSpan.FromSeconds(30), async () =>
            await ScalarAsync<bool>("select min(due_at) > $1 and clock_timestamp() > $1 from outbox_messages", claimed) ? "kept" : null);
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
        await worker.Log.ContainingAsync("Sent mails could not be written down");
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

    private Task<List<LeasedMessage>> ClaimAsync(InProcessWorker worker, Guid? owner = null) =>
        worker.UseAsync<OutboxQueue, List<LeasedMessage>>(queue => queue.ClaimAsync(owner ?? _paused, 10, s_minute, CancellationToken.None));
}
