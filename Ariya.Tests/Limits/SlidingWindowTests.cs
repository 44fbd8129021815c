using Ariya.Api.Limits;
using Ariya.Api.Redis;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Ariya.Tests.Limits;

/// <summary>Both counters, against the definition: in no span of the window's length are more admitted than permitted.</summary>
public sealed class SlidingWindowTests
{
    private static readonly TimeSpan s_window = TimeSpan.FromSeconds(10);

    [Fact]
    public void TheLocalCounterAdmitsWhatTheDefinitionAdmits()
    {
        var clock = new TestClock(DateTimeOffset.UnixEpoch);
        var counter = new LocalCounter(clock);
        var bucket = BucketOf(5);
        // Pauses that come back to the window's length and just miss it, again and again.
        var pauses = Enumerable.Range(0, 2000).Select(n => TimeSpan.FromMilliseconds(n * 7919 % 4001));
        var admitted = new List<DateTimeOffset>();
        foreach (var pause in pauses)
        {
            clock.Advance(pause);
            var now = clock.GetUtcNow();
            var expected = admitted.Count(at => now - at <= s_window) < bucket.Permits;
            Assert.Equal(expected, counter.Spend([bucket]).IsAdmitted);
            if (expected)
            {
                admitted.Add(now);
            }
        }

        Assert.InRange(admitted.Count, 100, 1999);
    }

    [Fact]
    public void ARequestIsAdmittedByAllItsBucketsOrCountedByNone()
    {
        var counter = new LocalCounter(new TestClock(DateTimeOffset.UnixEpoch));
        var (wide, narrow) = (BucketOf(10), BucketOf(1));
        Assert.True(counter.Spend([wide, narrow]).IsAdmitted);
        Assert.False(counter.Spend([wide, narrow]).IsAdmitted);
        Assert.Equal(9, counter.Peek([wide]).States[0].Remaining);
    }

    [Fact]
    public void WhatIsGivenBackIsThereAgainAndNothingElse()
    {
        var clock = new TestClock(DateTimeOffset.UnixEpoch);
        var counter = new LocalCounter(clock);
        var bucket = BucketOf(2);
        var first = counter.Spend([bucket]);
        clock.Advance(TimeSpan.FromSeconds(1));
        counter.Spend([bucket]);
        counter.GiveBack([bucket], first.At);
        counter.GiveBack([bucket], first.At);
        Assert.Equal(1, counter.Peek([bucket]).States[0].Remaining);
        // The second one is what is left: it leaves a second later than the first would have.
        Assert.Equal(s_window, counter.Peek([bucket]).States[0].Wait);
    }

    [Fact]
    public void AMillionBucketsTakeTheRoomOfAHundredThousand()
    {
        var clock = new TestClock(DateTimeOffset.UnixEpoch);
        var counter = new LocalCounter(clock);
        var watched = BucketOf(1);
        counter.Spend([watched]);
        for (var n = 0; n < 1_000_000; n++)
        {
            counter.Spend([BucketOf(1)]);
            if (n % 50_000 == 0)
            {
                // Somebody who keeps trying is not forgotten for all those others.
                Assert.False(counter.Spend([watched]).IsAdmitted);
            }
        }

        Assert.Equal(LocalCounter.MaxBuckets, counter.Count);
        clock.Advance(s_window + s_window);
        for (var n = 0; n < LocalCounter.MaxBuckets; n++)
        {
            counter.Spend([BucketOf(1)]);
        }

        // Room for two is made by each one that comes, as long as there are some whose time is over.
        Assert.Equal(LocalCounter.MaxBuckets, counter.Count);
        clock.Advance(s_window + s_window);
        for (var n = 0; n < 100; n++)
        {
            counter.Spend([BucketOf(1)]);
        }

        Assert.Equal(LocalCounter.MaxBuckets - 100, counter.Count);
    }

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task RedisAdmitsWhatTheDefinitionAdmits(string kind)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        await using var services = await ServicesAsync(redis);
        var counter = new SharedCounter(services.GetRequiredService<RedisCalls>(), TimeProvider.System);
        var bucket = new Bucket("test", $"b{Guid.CreateVersion7():N}", 20, TimeSpan.FromMilliseconds(200), true, Counted.Always);
        var admitted = new List<long>();
        var judged = 0;
        // Every pause between nothing and the window's length: its edge is met from both sides, on the server's clock.
        for (var n = 0; admitted.Count < 300; n++)
        {
            var verdicts = await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => SpendAsync(counter, bucket)));
            Assert.All(verdicts, verdict => Assert.NotNull(verdict));
            admitted.AddRange(verdicts.Where(verdict => verdict!.IsAdmitted).Select(verdict => verdict!.At));
            judged += verdicts.Length;
            await Task.Delay(TimeSpan.FromMilliseconds(n * 13 % 60));
        }

        admitted.Sort();
        var window = (long)bucket.Window.TotalMicroseconds;
        for (var n = bucket.Permits; n < admitted.Count; n++)
        {
            Assert.True(admitted[n] - admitted[n - bucket.Permits] > window,
                $"{bucket.Permits + 1} admitted within {admitted[n] - admitted[n - bucket.Permits]} µs");
        }

        Assert.InRange(judged, admitted.Count + 100, int.MaxValue);
    }

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task RedisGivesBackEmptiesAndKeepsNothingLongerThanTheWindow(string kind)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        await using var services = await ServicesAsync(redis);
        var counter = new SharedCounter(services.GetRequiredService<RedisCalls>(), TimeProvider.System);
        var (tries, failures) = (BucketOf(3), BucketOf(2));

        var first = await SpendAsync(counter, tries, failures);
        var second = await SpendAsync(counter, tries, failures);
        Assert.Equal([(2, 1), (2, 0)], second!.States.Select(state => (state.Used, state.Remaining)));
        Assert.InRange(second.States[0].Wait, TimeSpan.FromSeconds(9), s_window + TimeSpan.FromMilliseconds(1));
        var third = await SpendAsync(counter, tries, failures);
        Assert.False(third!.IsAdmitted);
        Assert.Equal([2, 2], third.States.Select(state => state.Used));

        await counter.GiveBackAsync([tries], [failures], first!.At);
        var after = await counter.PeekAsync([tries, failures]);
        Assert.Equal([0, 1], after!.States.Select(state => state.Used));
        Assert.InRange((long)await redis.CommandAsync("PTTL", failures.Key), 1, (long)s_window.TotalMilliseconds + 1);
    }

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task SomebodyElsesValueUnderABucketsKeyIsReplacedAndATimeFarAheadIsForgotten(string kind)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        await using var services = await ServicesAsync(redis);
        var counter = new SharedCounter(services.GetRequiredService<RedisCalls>(), TimeProvider.System);
        var bucket = BucketOf(1);
        foreach (var misled in new Func<Task>[]
        {
            () => redis.CommandAsync("SET", bucket.Key, "not a list"),
            () => redis.CommandAsync("LPUSH", bucket.Key, "not a time"),
            () => redis.CommandAsync("LPUSH", bucket.Key, "99999999999999999"),
        })
        {
            await redis.CommandAsync("DEL", bucket.Key);
            await misled();
            Assert.True((await SpendAsync(counter, bucket))!.IsAdmitted);
            Assert.False((await SpendAsync(counter, bucket))!.IsAdmitted);
        }
    }

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task WhatIsDoneTooLateIsNotCounted(string kind)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        var options = new RedisOptions();
        await using var services = await ServicesAsync(redis, options);
        var counter = new SharedCounter(services.GetRequiredService<RedisCalls>(), TimeProvider.System);
        var bucket = BucketOf(1000);
        // The first answer tells the server's clock.
        await Wait.UntilAsync("an answer", TimeSpan.FromSeconds(10), () => counter.PeekAsync([bucket]));
        var before = (await Wait.UntilAsync("an answer", TimeSpan.FromSeconds(10), () => SpendAsync(counter, bucket))).States[0].Used;
        redis.Pause();
        var stood = TimeProvider.System.GetTimestamp();
        Assert.Null(await SpendAsync(counter, bucket));
        Assert.InRange(TimeProvider.System.GetElapsedTime(stood), TimeSpan.FromMilliseconds(90), TimeSpan.FromSeconds(1));
        // What the way and a loaded machine add to the patience.
        await Task.Delay(options.Patience);
        redis.GoOn();
        var states = await Wait.UntilAsync("an answer again", TimeSpan.FromSeconds(10), () => counter.PeekAsync([bucket]));
        Assert.Equal(before, states.States[0].Used);
    }

    // Garnet runs scripts of several connections side by side unless it is told not to, and then both find the last permit.
    [Theory]
    [Trait("Promise", "P35")]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task OfManyConnectionsAtOnceThePermitsAreAdmittedAndNoMore(string kind)
    {
        const int Connections = 6, Permits = 5;
        await using var redis = await RedisServer.StartAsync(kind);
        var services = new List<ServiceProvider>();
        try
        {
            for (var n = 0; n < Connections; n++)
            {
                services.Add(await ServicesAsync(redis));
            }

            var counters = services.Select(one => new SharedCounter(one.GetRequiredService<RedisCalls>(), TimeProvider.System)).ToList();
            for (var round = 0; round < 50; round++)
            {
                var bucket = BucketOf(Permits);
                var verdicts = await Task.WhenAll(Enumerable.Range(0, 4 * Connections).Select(n => Task.Run(() => SpendAsync(counters[n % Connections], bucket))));
                Assert.Equal(Permits, verdicts.Count(verdict => verdict!.IsAdmitted));
            }
        }
        finally
        {
            foreach (var one in services)
            {
                await one.DisposeAsync();
            }
        }
    }

    private static Task<LimitVerdict?> SpendAsync(SharedCounter counter, params Bucket[] buckets) => counter.SpendAsync(buckets);

    private static Bucket BucketOf(int permits) => new("test", Guid.CreateVersion7().ToString(), permits, s_window, true, Counted.Always);

    // Where the clock of the test's machine is not what is tried, a busy one may take its time.
    private static async Task<ServiceProvider> ServicesAsync(RedisServer redis, RedisOptions? options = null)
    {
        options ??= new RedisOptions { Patience = TimeSpan.FromSeconds(5) };
        var services = new ServiceCollection();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton<IConnectionMultiplexer>(_ =>
        {
            var connection = ConfigurationOptions.Parse(redis.ConnectionString);
            RedisCalls.Configure(connection, options.Patience);
            return ConnectionMultiplexer.Connect(connection);
        });
        services.AddSingleton<RedisCalls>(provider => new RedisCalls(provider, Options.Create(options), TimeProvider.System, NullLogger<RedisCalls>.Instance));
        var provider = services.BuildServiceProvider();
        var calls = provider.GetRequiredService<RedisCalls>();
        await calls.StartAsync(CancellationToken.None);
        // The first call of a script takes a server longer than a request would wait.
        await Wait.UntilAsync("an answer of Redis", TimeSpan.FromSeconds(10), () =>
            new SharedCounter(calls, TimeProvider.System).PeekAsync([BucketOf(1)]));
        return provider;
    }
}
