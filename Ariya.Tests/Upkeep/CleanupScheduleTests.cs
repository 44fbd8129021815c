using Ariya.Tests.Mail.Outbox;
using Ariya.Worker.Cleanup;

namespace Ariya.Tests.Upkeep;

/// <summary>The clean-up comes at its hour, once, and a missed hour is made up. The time of day is the test's.</summary>
public sealed class CleanupScheduleTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private readonly TestClock _clock = new(new DateTimeOffset(2026, 3, 4, 1, 59, 0, TimeSpan.Zero));

    [Fact]
    public async Task ItRunsAtItsHourAndNotBefore()
    {
        await AddExpiredTokenAsync();
        Assert.Equal(TimeSpan.FromMinutes(1), await FollowAsync());
        Assert.Equal(1, await TokensAsync());
        _clock.Advance(TimeSpan.FromMinutes(1));
        await FollowAsync();
        Assert.Equal(0, await TokensAsync());
        Assert.Equal(1, await ScalarAsync<long>("select removed from scheduled_runs where name = 'cleanup'"));

        await AddExpiredTokenAsync();
        _clock.Advance(TimeSpan.FromHours(23));
        Assert.Equal(TimeSpan.FromMinutes(1), await FollowAsync());
        Assert.Equal(1, await TokensAsync());
    }

    [Fact]
    public async Task AnHourThatNobodyWasThereForIsMadeUpOnce()
    {
        await FollowAsync();
        await AddExpiredTokenAsync();
        _clock.Advance(new TimeSpan(3, 5, 0, 0));
        Assert.Equal(TimeSpan.Zero, await FollowAsync());
        Assert.Equal(0, await TokensAsync());
        await AddExpiredTokenAsync();
        Assert.NotEqual(TimeSpan.Zero, await FollowAsync());
        Assert.Equal(1, await TokensAsync());
    }

    [Fact]
    public async Task WhoAsksGetsARunBesideTheSchedule()
    {
        await FollowAsync();
        await AddExpiredTokenAsync();
        await SqlAsync("update scheduled_runs set requested_at = clock_timestamp()");
        Assert.Equal(TimeSpan.Zero, await FollowAsync());
        Assert.Equal(0, await TokensAsync());
        Assert.Equal("""{"expired tokens": 1}""", await ScalarAsync<string>("select removed_by_steps::text from scheduled_runs where requested_at is null"));
        // Once, and the hour of the schedule is still to come.
        Assert.Equal(TimeSpan.FromMinutes(1), await FollowAsync());
        await AddExpiredTokenAsync();
        _clock.Advance(TimeSpan.FromMinutes(1));
        await FollowAsync();
        Assert.Equal(0, await TokensAsync());
    }

    [Fact]
    [Trait("Promise", "P63")]
    public async Task OfSeveralWorkersOneRuns()
    {
        await FollowAsync();
        _clock.Advance(TimeSpan.FromMinutes(1));
        var workers = Enumerable.Range(0, 5).Select(_ => AWorker()).ToList();
        await Task.WhenAll(workers.Select(FollowAsync));
        Assert.Equal(1, workers.Sum(worker => worker.Log.Count("Clean-up done")));
    }

    [Fact]
    public async Task ARunThatWasCutShortIsTakenOverWhenItsLeaseEnds()
    {
        await FollowAsync();
        await AddExpiredTokenAsync();
        _clock.Advance(TimeSpan.FromMinutes(1));
        await SqlAsync("update scheduled_runs set lease_until = clock_timestamp() + interval '1 minute'");
        await FollowAsync();
        Assert.Equal(1, await TokensAsync());
        await SqlAsync("update scheduled_runs set lease_until = clock_timestamp() - interval '1 second'");
        await FollowAsync();
        Assert.Equal(0, await TokensAsync());
    }

    [Fact]
    public async Task TheHourIsOneOfTheZone()
    {
        var worker = AWorker("Europe/Berlin");
        _clock.Advance(new DateTimeOffset(2026, 7, 1, 23, 58, 30, TimeSpan.Zero) - _clock.GetUtcNow());
        await FollowAsync(worker);
        _clock.Advance(TimeSpan.FromMinutes(1));
        // Two in the morning in Berlin, in summer.
        Assert.Equal(TimeSpan.FromSeconds(30), await FollowAsync(worker));
    }

    [Theory]
    [InlineData("Cleanup__Schedule", "every night", "Cleanup__Schedule must be a crontab line of five fields")]
    [InlineData("Cleanup__Schedule", "0 0 2 * * *", "Cleanup__Schedule must be a crontab line of five fields")]
    [InlineData("Cleanup__TimeZone", "Middle/Earth", "Cleanup__TimeZone must be UTC or the name of a time zone")]
    [InlineData("Retention__SentMail", "00:00:01", "Retention__SentMail must be between")]
    public async Task AWrongSettingIsSaidByName(string name, string value, string words)
    {
        await using var command = await WorkerProcess.CommandAsync(Connection, ["cleanup"], null, (name, value));
        Assert.Equal(1, command.ExitCode);
        Assert.Contains(words, command.Output, StringComparison.Ordinal);
    }

    private Task<TimeSpan> FollowAsync(InProcessWorker? worker = null) =>
        (worker ?? AWorker()).UseAsync<CleanupSchedule, TimeSpan>(schedule => schedule.FollowAsync(CancellationToken.None));

    private InProcessWorker AWorker(string timeZone = "UTC") => Worker(settings => (settings.Clock, settings.TimeZone) = (_clock, timeZone));

    private Task<int> AddExpiredTokenAsync() => SqlAsync(
        """
        insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
        values (gen_random_uuid(), 'verify_email', gen_random_uuid(), 'a', gen_random_uuid()::text::bytea, '\x00', 'key', clock_timestamp() - interval '8 days')
        """);

    private Task<long> TokensAsync() => ScalarAsync<long>("select count(*) from one_time_tokens");
}
