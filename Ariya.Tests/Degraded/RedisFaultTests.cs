namespace Ariya.Tests.Degraded;

/// <summary>Redis in every state it can be in, under load: everything works, nothing waits, and it is used again within ten seconds.</summary>
[Collection(RedisFaultRoom.Name)]
public sealed class RedisFaultTests(ServerRoom server) : IAsyncLifetime
{
    private static readonly TimeSpan s_recovery = TimeSpan.FromSeconds(10);

    // The calls that open the breaker wait 100 ms; a loaded machine of two cores needs the rest.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(2);

    private Room _room = null!;

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Theory]
    [Trait("Promise", "P37")]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public Task KilledAndStarted(string kind) => FaultAsync(kind, redis => redis.KillAsync(), redis => redis.StartAsync());

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public Task SilentForAWhile(string kind) => FaultAsync(
        kind, redis => { redis.Pause(); return Task.CompletedTask; }, redis => { redis.GoOn(); return Task.CompletedTask; });

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public Task Flushed(string kind) => FaultAsync(
        kind,
        async redis =>
        {
            await redis.CommandAsync("FLUSHALL");
            await redis.CommandAsync("SCRIPT", "FLUSH");
        },
        _ => Task.CompletedTask, isNoticed: false);

    [Theory]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public Task OtherValuesUnderItsKeys(string kind) => FaultAsync(
        kind,
        async redis =>
        {
            foreach (var key in (string[])(await redis.CommandAsync("KEYS", "ariya:*"))!)
            {
                await redis.CommandAsync("SET", key, "something else");
            }
        },
        _ => Task.CompletedTask, isNoticed: false);

    [RedisFact]
    public Task OutOfMemory() => FaultAsync(
        RedisServer.Redis, redis => redis.CommandAsync("CONFIG", "SET", "maxmemory", "1"), redis => redis.CommandAsync("CONFIG", "SET", "maxmemory", "0"));

    [RedisFact]
    public Task ReadOnly() => FaultAsync(
        RedisServer.Redis, redis => redis.CommandAsync("REPLICAOF", "127.0.0.1", "1"), redis => redis.CommandAsync("REPLICAOF", "NO", "ONE"));

    [RedisFact]
    public Task WithAnotherPassword() => FaultAsync(
        RedisServer.Redis,
        async redis =>
        {
            await redis.CommandAsync("CONFIG", "SET", "requirepass", "changed");
            redis.Password = "changed";
            // Connections that are in keep the rights they came with.
            await redis.CommandAsync("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes");
        },
        async redis =>
        {
            await redis.CommandAsync("CONFIG", "SET", "requirepass", "");
            redis.Password = null;
        });

    [RedisFact]
    public Task WithoutTheRightToWrite() => FaultAsync(
        RedisServer.Redis, redis => redis.CommandAsync("ACL", "SETUSER", "default", "-@write"), redis => redis.CommandAsync("ACL", "SETUSER", "default", "+@write"));

    [Fact]
    [Trait("Promise", "P55")]
    public async Task TwoSecondsLate()
    {
        await using var proxy = FaultProxy.To(server.Redis.Port);
        await FaultAsync(
            $"127.0.0.1:{proxy.Port}", () => { proxy.Latency = TimeSpan.FromSeconds(1); return Task.CompletedTask; },
            () => { proxy.Latency = TimeSpan.Zero; return Task.CompletedTask; });
    }

    [Fact]
    public async Task OverAConnectionThatHasDiedSilently()
    {
        await using var proxy = FaultProxy.To(server.Redis.Port);
        await FaultAsync(
            $"127.0.0.1:{proxy.Port}", () => { proxy.IsBlackHole = true; return Task.CompletedTask; },
            () => { proxy.IsBlackHole = false; return Task.CompletedTask; });
    }

    [Fact]
    [Trait("Promise", "P37")]
    public async Task NeverThereAndThenThere()
    {
        await using var redis = await RedisServer.StartAsync(RedisServer.Garnet);
        await redis.KillAsync();
        var api = StartApi(redis.ConnectionString);
        await using var load = await Load.StartAsync(_room, api);
        await Conditions.UntilRedisAsync(api, "unhealthy");
        AssertRight(await load.GoOnAsync(10));
        await redis.StartAsync();
        await Conditions.UntilRedisAsync(api, "healthy");
    }

    private async Task FaultAsync(string kind, Func<RedisServer, Task> fault, Func<RedisServer, Task> repair, bool isNoticed = true)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        await FaultAsync(redis.ConnectionString, () => fault(redis), () => repair(redis), isNoticed);
    }

    private async Task FaultAsync(string connection, Func<Task> fault, Func<Task> repair, bool isNoticed = true)
    {
        var api = StartApi(connection);
        await Conditions.UntilRedisAsync(api, "healthy");
        await using var load = await Load.StartAsync(_room, api);
        AssertRight(await load.GoOnAsync(10));

        await fault();
        AssertRight(await load.GoOnAsync(20));
        if (isNoticed)
        {
            var report = await Conditions.UntilRedisAsync(api, "unhealthy");
            Assert.Equal("degraded", (string?)report["status"]);
        }

        AssertRight(await load.GoOnAsync(20));
        var open = (await load.GoOnAsync(20)).Where(answer => answer.Operation != "login").Select(answer => answer.Took).Order().ToList();
        // Whoever still waited for Redis would take its patience at least.
        Assert.InRange(open[open.Count / 2], TimeSpan.Zero, TimeSpan.FromMilliseconds(95));
        await repair();
        await Conditions.UntilRedisAsync(api, "healthy");
        await load.BackToNormalAsync(s_recovery);
        AssertRight(load.Answers);
    }

    // Everybody has limits enough: only what Redis does to them is asked for here.
    private HttpClient StartApi(string connection) => _room.StartApi(
        connection, _room.Connection, ("RateLimits:ApiPermits", "1000000"), ("RateLimits:AuthTotalPermits", "1000000"), ("RateLimits:MailPermits", "1000000"), ("RateLimits:NetworkDayPermits", "1000000")).CreateClient();

    private static void AssertRight(IReadOnlyCollection<LoadAnswer> answers)
    {
        Assert.True(answers.All(Load.IsSuccess), Load.Describe(answers));
        Assert.True(answers.All(answer => answer.Took < s_longest), Load.Describe(answers));
    }
}
