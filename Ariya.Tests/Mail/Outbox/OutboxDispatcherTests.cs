using Ariya.Data.Outbox;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Mail.Outbox;

public sealed class OutboxDispatcherTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private const string Address = "grace@example.com";

    [Fact]
    [Trait("Promise", "P46")]
    public async Task ARefusedMailIsDeadAfterOneTryAndSaysWhy()
    {
        Relay.Script = RelayScript.At("RCPT", "550 5.1.1 no such user");
        var id = await WelcomeAsync(Address);
        var worker = Worker();
        Assert.Equal(1, await worker.RunOnceAsync());

        var row = await RowAsync(id);
        Assert.Equal(("dead", 1, "550 5.1.1 no such user"), (row.State, row.Attempts, row.Reason));
        Assert.Equal("1 rcpt 550 5.1.1 no such user", await ScalarAsync<string>(
            "select attempt || ' ' || stage || ' ' || reply from outbox_attempts where message_id = $1", id));
        await MakeDueAsync(id);
        Assert.Equal(0, await worker.RunOnceAsync());
    }

    [Fact]
    [Trait("Promise", "P46")]
    public async Task ADeferredMailComesAgainAtGrowingDistances()
    {
        var tries = 0;
        Relay.Script = new RelayScript { On = moment => moment.Verb == "." && ++tries <= 5 ? "451 4.3.0 try later" : null };
        var id = await WelcomeAsync(Address);
        var worker = Worker();
        var delays = new List<double>();
        for (var attempt = 1; attempt <= 5; attempt++)
        {
            Assert.Equal(1, await worker.RunOnceAsync());
            var row = await RowAsync(id);
            Assert.Equal(("retry", attempt, "451 4.3.0 try later"), (row.State, row.Attempts, row.Reason));
            Assert.Equal(0, await worker.RunOnceAsync());
            delays.Add(row.DueInSeconds);
            await MakeDueAsync(id);
        }

        Assert.Equal(1, await worker.RunOnceAsync());
        Assert.Equal(("sent", 6), (await RowAsync(id)) is var sent ? (sent.State, sent.Attempts) : default);
        Assert.Equal(delays.Order(), delays);
        Assert.True(delays[4] > 50 * delays[0]);
        Assert.Equal(6, await ScalarAsync<long>("select count(*) from outbox_attempts where message_id = $1", id));
        Assert.Single(Relay.Accepted);
    }

    [Fact]
    [Trait("Promise", "P45")]
    public async Task NothingIsClaimedWhileTheRelayIsAway()
    {
        await MoveRelayAwayAsync();
        var id = await RegistrationMailAsync(Address);
        var worker = Worker(settings => settings.Clock = new HastyClock(50));
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Mail relay: no connection");
        var row = await RowAsync(id);
        Assert.Equal(("pending", 0, false), (row.State, row.Attempts, row.IsLeased));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens"));

        BringRelayBack();
        await SentAsync(1);
        Assert.Equal(Address, Assert.Single(Relay.Accepted).Recipient);
    }

    [Fact]
    public async Task WhenTheRelayLeavesMidBatchTheRestGoesBackAtOnce()
    {
        var mails = 0;
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "MAIL" && ++mails > 2 ? RelayReply.Last("421 4.3.2 closing") : null,
        };
        var ids = new List<Guid>();
        foreach (var number in Enumerable.Range(0, 5))
        {
            ids.Add(await WelcomeAsync($"p{number}@example.com"));
        }

        Assert.Equal(5, await Worker(settings => settings.Connections = 1).RunOnceAsync());
        var rows = await Task.WhenAll(ids.Select(RowAsync));
        Assert.Equal(2, rows.Count(row => row.State == "sent"));
        var back = rows.Where(row => row.State == "retry").ToList();
        Assert.Equal(3, back.Count);
        Assert.All(back, row => Assert.Equal((0, false), (row.Attempts, row.IsLeased)));
        Assert.Equal(2, back.Count(row => row.DueInSeconds <= 0));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from outbox_attempts"));

        Relay.Script = new RelayScript();
        await SqlAsync("update outbox_messages set due_at = clock_timestamp() where state = 'retry'");
        Assert.Equal(3, await Worker().RunOnceAsync());
        Assert.Equal(5, Relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
    }

    [Fact]
    public async Task APoisonedRowHoldsUpNobody()
    {
        var poisoned = new Dictionary<Guid, string>
        {
            [await AddAsync(MailKinds.Registration, Address)] = "dead",
            [await AddAsync(MailKinds.Welcome, Address, """{"accountId":"not an id"}""")] = "dead",
            [await AddAsync(MailKinds.Welcome, Address, """{"accountId":5}""")] = "dead",
            [await AddAsync(MailKinds.PasswordChanged, Address, "[]")] = "dead",
            [await AddAsync(MailKinds.PasswordReset, null)] = "dropped",
            [await AddAsync(MailKinds.VerificationAgain, null)] = "dropped",
            [await AddAsync("mail.from-the-future.v9", Address)] = "retry",
            [await WelcomeAsync("no address at all")] = "dead",
            [await WelcomeAsync("grace@-.example.com")] = "dead",
            [await RegistrationMailAsync("two\r\nlines@example.com")] = "dead",
        };
        Guid[] good = [await RegistrationMailAsync("one@example.com"), await WelcomeAsync("two@example.com")];
        await AccountAsync("three@example.com");
        good = [.. good, await AddAsync(MailKinds.PasswordReset, "three@example.com")];

        Assert.Equal(13, await Worker().RunOnceAsync());
        Assert.All(await Task.WhenAll(good.Select(RowAsync)), row => Assert.Equal("sent", row.State));
        foreach (var (id, state) in poisoned)
        {
            var row = await RowAsync(id);
            Assert.Equal(state, row.State);
            Assert.NotEmpty(row.Reason!);
            Assert.False(row.IsLeased);
        }

        Assert.Equal(3, Relay.Accepted.Count);
    }

    [Fact]
    [Trait("Promise", "P56")]
    public async Task ARecipientWhomTheRelayChokesOnHoldsUpNobody()
    {
        foreach (var verb in new[] { "RCPT", "." })
        {
            Relay.Script = new RelayScript
            {
                On = moment => moment.Verb == verb && (moment.Recipient ?? "").StartsWith("choke", StringComparison.Ordinal)
                    ? verb == "." ? RelayReply.Silence : RelayReply.HangUp : null,
            };
            var before = await WelcomeAsync($"before{(int)verb[0]}@example.com");
            var choking = await WelcomeAsync($"choke{(int)verb[0]}@example.com");
            Guid[] others = [before, await WelcomeAsync($"after{(int)verb[0]}@example.com")];
            var worker = Worker(settings => settings.Patience = TimeSpan.FromSeconds(1));
            while (await worker.RunOnceAsync() > 0)
            {
            }

            Assert.All(await Task.WhenAll(others.Select(RowAsync)), row => Assert.Equal("sent", row.State));
            var row = await RowAsync(choking);
            Assert.Equal(("retry", verb == "." ? 1 : 0), (row.State, row.Attempts));
            Assert.True(row.DueInSeconds > 0);
        }
    }

    [Theory]
    [Trait("Promise", "P56")]
    [InlineData("CONNECT")]
    [InlineData("MAIL")]
    [InlineData("DATA")]
    public async Task ARelayThatSaysNothingIsLeftAndItsMailsGoOverOtherConnections(string verb)
    {
        const int Mails = 20;
        await WelcomesAsync(Mails);
        var silences = 0;
        Relay.Script = new RelayScript { On = moment => moment.Verb == verb && Interlocked.Increment(ref silences) <= 2 ? RelayReply.Silence : null };
        var worker = Worker(settings => settings.Patience = TimeSpan.FromSeconds(1));
        await worker.StartAsync();
        await Wait.UntilAsync("every mail", TimeSpan.FromSeconds(60), async () =>
        {
            await SqlAsync("update outbox_messages set due_at = clock_timestamp() where state = 'retry'");
            return await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'") == Mails ? "" : null;
        });
        Assert.True(silences >= 2);
        Assert.Equal(Mails, Relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
    }

    [Fact]
    [Trait("Promise", "P60")]
    public async Task AStopMidBatchWritesDownWhatWasTakenAndGivesTheRestBack()
    {
        var reached = new TaskCompletionSource();
        var gate = new TaskCompletionSource();
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "." && reached.TrySetResult() ? RelayReply.After(gate.Task, "250 2.0.0 taken") : null,
        };
        foreach (var number in Enumerable.Range(0, 3))
        {
            await WelcomeAsync($"p{number}@example.com");
        }

        using var stop = new CancellationTokenSource();
        var sending = Worker(settings => settings.Connections = 1).RunOnceAsync(stop.Token);
        await reached.Task;
        await stop.CancelAsync();
        gate.SetResult();

        Assert.Equal(3, await sending);
        Assert.Single(Relay.Accepted);
        Assert.Equal("retry 0 2, sent 1 1", await ScalarAsync<string>(
            """
            select string_agg(state || ' ' || attempts || ' ' || n, ', ' order by state)
            from (
              select state, attempts, count(*) n from outbox_messages
              where lease_owner is null and due_at <= clock_timestamp() group by 1, 2) x
            """));
    }

    [Fact]
    public async Task AMailThatComesTooLateIsNotSent()
    {
        var late = await WelcomeAsync("late@example.com");
        var timely = await WelcomeAsync("timely@example.com");
        await SqlAsync("update outbox_messages set deliver_before = clock_timestamp() - interval '1 second' where id = $1", late);
        await SqlAsync("update outbox_messages set deliver_before = clock_timestamp() + interval '1 minute' where id = $1", timely);
        Assert.Equal(2, await Worker().RunOnceAsync());

        Assert.Equal("expired", (await RowAsync(late)).State);
        Assert.Equal("sent", (await RowAsync(timely)).State);
        Assert.Equal("timely@example.com", Assert.Single(Relay.Accepted).Recipient);
    }

    [Fact]
    [Trait("Promise", "P56")]
    public async Task ASlowReceiverHoldsUpNobody()
    {
        // Three hundred mails for a receiver that never answers, and behind them those of everybody else.
        await WelcomesAsync(300, "slow.example");
        await WelcomesAsync(100, "brisk.example");
        await WelcomesAsync(100, "quick.example");
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "." && moment.Recipient!.EndsWith("slow.example", StringComparison.Ordinal) ? RelayReply.Silence : null,
        };
        var worker = Worker(settings =>
        {
            settings.SlowAfter = TimeSpan.FromMilliseconds(500);
            settings.Patience = TimeSpan.FromMinutes(5);
        });
        await worker.StartAsync();
        await SentAsync(200);

        Assert.Equal(200, Relay.Accepted.Count);
        // Four that were begun before it was known, and none more.
        Assert.InRange(Relay.Sessions.Count, 5, 8);
        // Half of what a worker holds at most.
        Assert.InRange(await ScalarAsync<long>("select count(*) from outbox_messages where state = 'leased'"), 4, 110);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from outbox_messages where attempts > 0 and state <> 'sent'"));
        // Else the worker would wait for the silent ones before it stops.
        await MoveRelayAwayAsync();
    }

    [Fact]
    public async Task ARelayThatWantsFewConnectionsGetsFew()
    {
        await WelcomesAsync(200);
        Relay.Script = new RelayScript
        {
            On = moment => moment.Verb == "CONNECT" && moment.Connection > 2 ? RelayReply.Last("421 4.7.0 too many connections") : null,
        };
        var worker = Worker();
        await worker.StartAsync();
        await SentAsync(200);
        Assert.Equal(200, Relay.Accepted.Count);
        Assert.Equal(2, Relay.Accepted.Select(mail => mail.Connection).Distinct().Count());
        Assert.InRange(Relay.Sessions.Count, 3, 8);
        Assert.False(worker.Log.Contain("too many connections"));
    }

    [Fact]
    public async Task ARelayThatRefusesEverythingIsAskedRarelyAndKillsNothing()
    {
        await WelcomesAsync(50);
        Relay.Script = RelayScript.At("RCPT", "421 4.7.0 <grace@example.com> is over quota");
        var worker = Worker();
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Mail relay: 421 to one recipient after the other");
        // Three refusals are the relay's; after that it is only greeted, and more and more rarely.
        await worker.StopAsync();
        Assert.InRange(Relay.Commands.Count(command => command.StartsWith("RCPT", StringComparison.Ordinal)), 3, 3 * 4 * 2);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from outbox_messages where attempts > 0 or state not in ('pending', 'retry')"));

        Relay.Script = new RelayScript();
        await SqlAsync("update outbox_messages set due_at = clock_timestamp()");
        var next = Worker();
        await next.StartAsync();
        await SentAsync(50);
        Assert.Equal(50, Relay.Accepted.Count);
    }

    [Fact]
    [Trait("Promise", "P45")]
    public async Task WhatGathersWhileTheRelayIsAwayIsSentOnceAndItsLinksAreFresh()
    {
        await MoveRelayAwayAsync();
        var worker = Worker();
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Mail relay: no connection");
        await ResetMailsAsync(300);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens"));
        BringRelayBack();
        await SentAsync(300);

        Assert.Equal(300, Relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
        Assert.Equal(300, Relay.Accepted.Count);
        Assert.Equal(300, await ScalarAsync<long>(
            "select count(*) from one_time_tokens where consumed_at is null and expires_at > clock_timestamp() + interval '59 minutes'"));
    }

    [Fact]
    public async Task ARowThatTheDatabaseChokesOnEndsAloneAndSaysWhy()
    {
        await SqlAsync("alter table one_time_tokens add constraint choke check (address <> 'p7@example.com')");
        await ResetMailsAsync(20);
        var worker = Worker();
        await worker.StartAsync();
        await SentAsync(19);
        Assert.Equal("it cannot be prepared: 23514", await ScalarAsync<string>("select reason from outbox_messages where recipient = 'p7@example.com' and state = 'dead'"));
    }

    [Fact]
    public async Task ALateMailSaysWhatTheRelayLastAnswered()
    {
        Relay.Script = RelayScript.At("RCPT", "451 4.7.1 greylisted");
        var id = await WelcomeAsync(Address);
        var worker = Worker();
        await worker.RunOnceAsync();
        await SqlAsync("update outbox_messages set deliver_before = clock_timestamp() - interval '1 second', due_at = clock_timestamp()");
        await worker.RunOnceAsync();
        var row = await RowAsync(id);
        Assert.Equal(("expired", "too late to be of use; last: 451 4.7.1 greylisted"), (row.State, row.Reason));
    }

    [Fact]
    public async Task ARetryIsNotLaterThanTheMailIsOfUse()
    {
        Relay.Script = RelayScript.At("RCPT", "451 4.7.1 greylisted");
        var id = await WelcomeAsync(Address);
        await SqlAsync("update outbox_messages set deliver_before = clock_timestamp() + interval '3 seconds'");
        await Worker().RunOnceAsync();
        Assert.InRange((await RowAsync(id)).DueInSeconds, -1, 3);
    }

    [Fact]
    [Trait("Promise", "P46")]
    public async Task TriesThatAreUsedUpEndTheMail()
    {
        Relay.Script = RelayScript.At(".", "451 4.3.0 try later");
        var id = await WelcomeAsync(Address);
        await SqlAsync("update outbox_messages set attempts = 10");
        await Worker().RunOnceAsync();
        var row = await RowAsync(id);
        Assert.Equal(("dead", 11, "tries used up: 451 4.3.0 try later"), (row.State, row.Attempts, row.Reason));
    }

    private Task<string> SentAsync(int count) => Wait.UntilAsync(
        $"{count} sent mails", TimeSpan.FromSeconds(60),
        async () => await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'") == count ? "sent" : null);
}
