using Ariya.Data;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Ariya.Worker.Audit;
using Ariya.Worker.Cleanup;
using Microsoft.Extensions.Options;

namespace Ariya.Tests.Upkeep;

/// <summary>Whoever writes in the database and does not know JWT_SECRET cannot change the audit unseen.</summary>
public sealed class AuditChainTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    [Fact]
    public async Task EventsAreSealedWhenNoTransactionCanStillBringOlderOnes()
    {
        await AddEventsAsync(5, "2 minutes");
        await AddEventsAsync(3, "30 seconds");
        Assert.Equal(5, await SealAsync());
        Assert.Equal(0, await SealAsync());
        Assert.Equal((1, 5, 3, null), await VerifyAsync() is var report ? (report.Seals, report.Events, report.Unsealed, report.Fault) : default);
    }

    [Fact]
    public async Task TheMomentUpToWhichIsSealedStandsStillWhileItIsRead()
    {
        // A database that takes a second over a thousand events, whose moment the limit reaches meanwhile.
        await SqlAsync(
            """
            create function slowly() returns bool language plpgsql cost 0.0001 as $$ begin perform pg_sleep(0.001); return true; end $$;
            alter table audit_events rename to stored_events;
            create view audit_events as select * from stored_events where slowly();
            insert into stored_events (id, kind, at)
            select gen_random_uuid(), 'x', t.at
            from (select clock_timestamp() - interval '60 seconds' + interval '700 milliseconds' as at) t, generate_series(1, 1000)
            """);
        Assert.Equal(0, await SealAsync());
        Assert.Equal(1000, await Wait.UntilAsync("settled events", TimeSpan.FromSeconds(15), async () => await SealAsync() is > 0 and var count ? (object)count : null));
        Assert.Null((await VerifyAsync()).Fault);
    }

    [Fact]
    public async Task SeveralWorkersMakeOneChain()
    {
        await AddEventsAsync(50, "2 minutes");
        var sealing = await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => SealAsync()));
        Assert.Equal(50, sealing.Sum());
        Assert.Null((await VerifyAsync()).Fault);
    }

    [Theory]
    [InlineData("update audit_events set network = '198.51.100.0/24' where detail = '12'", "not as it was")]
    [InlineData("update audit_events set detail = null where detail = '12'", "not as it was")]
    [InlineData("delete from audit_events where detail = '12'", "it covers 10 events, and there are 9")]
    [InlineData("insert into audit_events (id, kind, at) select gen_random_uuid(), 'x', at from audit_events where detail = '12'", "it covers 10 events, and there are 11")]
    [InlineData("delete from audit_seals where number = 2", "seals 2 to 2 are missing")]
    [InlineData("delete from audit_seals where number = 1", "seals 1 to 1 are missing")]
    [InlineData("update audit_seals set mac = '\\x00' where number = 2", "not written by a worker of this deployment")]
    [InlineData("update audit_seals set key_id = '00000000' where number = 3", "not written by a worker of this deployment")]
    [InlineData("update audit_seals set key_id = '00000000' where number = 2", "not written by a worker of this deployment")]
    [InlineData("update audit_seals set is_pruned = true, last_at = now() - interval '500 days' where number = 2", "not written by a worker of this deployment")]
    [InlineData("update audit_seals set hash = sha256('forged'), events = 9 where number = 2", "it covers 9 events, and there are 10")]
    public async Task AChangeIsFound(string change, string words)
    {
        await SealThreeTimesAsync();
        Assert.Null((await VerifyAsync()).Fault);
        Assert.NotEqual(0, await SqlAsync(change));
        var fault = (await VerifyAsync()).Fault;
        Assert.Contains(words, fault!.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AForgedSealNeedsTheSecret()
    {
        await SealThreeTimesAsync();
        var stranger = new Data.Keys.SecretKeys(["a stranger's secret with 32 characters and more", "a secret of the tests, 32 characters and more"]);
        await SqlAsync("update audit_events set kind = 'forged' where detail = '25'");
        await SqlAsync("delete from audit_seals where number = 3");
        await Worker().UseAsync<AriyaDatabase, int>(db => new AuditChain(db, stranger).SealAsync(CancellationToken.None));
        await SqlAsync("update audit_seals set key_id = $1 where number = 3", WorkerSettings.Secrets.KeyIds[0]);
        Assert.Contains("not written by a worker", (await VerifyAsync()).Fault!.What, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AChainUnderAnEarlierSecretIsStillChecked()
    {
        await SealThreeTimesAsync();
        await AddEventsAsync(1, "3 minutes", first: 100, shift: "1 minute");
        var later = WorkerSettings.LaterSecrets;
        await Worker().UseAsync<AriyaDatabase, int>(db => new AuditChain(db, later).SealAsync(CancellationToken.None));
        var onlyNew = new Data.Keys.SecretKeys(["another secret of the tests, 32 characters and more"]);
        var report = await VerifyAsync(onlyNew);
        Assert.Null(report.Fault);
        Assert.Equal(3, report.UnknownKeys);
        await SqlAsync("update audit_events set kind = 'forged' where detail = '5'");
        Assert.NotNull((await VerifyAsync(onlyNew)).Fault);
    }

    [Fact]
    public async Task RetentionTakesWholeSpansAndTheRestIsStillChecked()
    {
        await SealThreeTimesAsync("399 days 23 hours", "401 days", "402 days");
        var removed = await Worker().UseAsync<AriyaDatabase, long>(db => new CleanupRun(db, TimeProvider.System, Options.Create(new CleanupOptions { BatchSize = 4 }))
            .RunAsync(CleanupSteps.All(new RetentionOptions()), _ => Task.CompletedTask, CancellationToken.None));
        Assert.Equal(20 + 1, removed);
        var report = await VerifyAsync();
        Assert.Null(report.Fault);
        Assert.Equal((1, 10), (report.Seals, report.Events));
        Assert.NotNull(report.Since);
    }

    // Ten events under each seal, the oldest first.
    private async Task SealThreeTimesAsync(string third = "3 minutes", string second = "4 minutes", string first = "5 minutes")
    {
        foreach (var (index, age) in new[] { first, second, third }.Index())
        {
            await AddEventsAsync(10, age, (index * 10) + 1);
            Assert.Equal(10, await SealAsync());
        }
    }

    private Task<int> AddEventsAsync(int count, string age, int first = 1, string shift = "0 seconds") => SqlAsync(
        """
        insert into audit_events (id, at, kind, network, detail)
        select gen_random_uuid(), clock_timestamp() - $2::interval + $4::interval + n * interval '1 millisecond', 'session.signed_in', '192.0.2.0/24', n::text
        from generate_series($3::int, $3::int + $1::int - 1) n
        """, count, age, first, shift);

    private Task<int> SealAsync() => Worker().UseAsync<AriyaDatabase, int>(db => new AuditChain(db, WorkerSettings.Secrets).SealAsync(CancellationToken.None));

    private Task<AuditReport> VerifyAsync(Data.Keys.SecretKeys? secrets = null) => Worker().UseAsync<AriyaDatabase, AuditReport>(
        db => new AuditChain(db, secrets ?? WorkerSettings.Secrets).VerifyAsync(_ => { }, CancellationToken.None));
}
