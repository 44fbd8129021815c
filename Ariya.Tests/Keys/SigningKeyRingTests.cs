using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Tests.Distributed;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Ariya.Tests.Keys;

/// <summary>What one instance of the API signs with and publishes while the keys change under it.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class SigningKeyRingTests(RunningAriya ariya) : IAsyncLifetime
{
    private static readonly SecretKeys s_secrets = new(["a secret of 32 characters and more, 0123456789"]);
    private static readonly SecretKeys s_strangers = new(["another secret of 32 characters and more, 98765"]);
    private static readonly TimeSpan s_reread = TimeSpan.FromMinutes(1);

    private OwnDatabase _database = null!;
    private ServiceProvider _services = null!;
    private TestClock _clock = null!;
    private DateTimeOffset _now;

    public async Task InitializeAsync()
    {
        _database = await OwnDatabase.CreateAsync(ariya);
        _now = new DateTimeOffset(await ariya.ScalarAsync<DateTime>("select clock_timestamp()"));
        _clock = new TestClock(_now);
        _services = new ServiceCollection()
            .AddSingleton(NpgsqlDataSource.Create(_database.ConnectionString)).AddScoped<AriyaDatabase>().BuildServiceProvider();
    }

    public async Task DisposeAsync()
    {
        await _services.DisposeAsync();
        await _database.DisposeAsync();
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task ANewKeyIsPublishedFifteenMinutesBeforeItSigns()
    {
        var old = await AddAsync(_now.AddDays(-90));
        using var ring = Ring();
        Assert.Equal(old.Kid, await SignerAsync(ring));
        var successor = await AddAsync(_now.AddMinutes(15));

        _clock.Advance(s_reread);
        Assert.Equal([old.Kid, successor.Kid], await PublishedAsync(ring));
        Assert.Equal(old.Kid, await SignerAsync(ring));
        _clock.Advance(TimeSpan.FromMinutes(14) - TimeSpan.FromSeconds(1));
        Assert.Equal(old.Kid, await SignerAsync(ring));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal(successor.Kid, await SignerAsync(ring));
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task ARetiredKeyStaysPublishedUntilItsLastTokenIsDead()
    {
        var old = await AddAsync(_now.AddDays(-91));
        var successor = await AddAsync(_now.AddMinutes(-1));
        using var ring = Ring();
        await RetireAsync(old);
        _clock.Advance(s_reread);
        Assert.Equal(successor.Kid, await SignerAsync(ring));
        Assert.Equal([old.Kid, successor.Kid], await PublishedAsync(ring));

        // An access token lives for an hour at most.
        _clock.Advance(TimeSpan.FromMinutes(61));
        Assert.Equal([old.Kid, successor.Kid], await PublishedAsync(ring));
        _clock.Advance(TimeSpan.FromMinutes(6));
        Assert.Equal([successor.Kid], await PublishedAsync(ring));
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task ARemovedKeyVerifiesNothingAnyMore()
    {
        var old = await AddAsync(_now.AddDays(-2));
        var successor = await AddAsync(_now.AddDays(-1));
        using var ring = Ring();
        Assert.Equal([old.Kid, successor.Kid], await PublishedAsync(ring));
        await _database.SqlAsync($"delete from signing_keys where kid = '{old.Kid}'");
        _clock.Advance(s_reread);
        Assert.Equal([successor.Kid], await PublishedAsync(ring));
    }

    [Fact]
    public async Task ATokenUnderAKeyNotReadYetMakesTheInstanceReadAgainButNotEveryTime()
    {
        var old = await AddAsync(_now.AddDays(-90));
        using var ring = Ring();
        Assert.Equal([old.Kid], await PublishedAsync(ring));
        var successor = await AddAsync(_now);
        _clock.Advance(TimeSpan.FromSeconds(4));
        Assert.Equal([old.Kid], await PublishedAsync(ring, successor.Kid));
        _clock.Advance(TimeSpan.FromSeconds(1));
        Assert.Equal([old.Kid, successor.Kid], await PublishedAsync(ring, successor.Kid));
    }

    [Fact]
    public async Task KeysOfStrangersAreNeitherPublishedNorUsed()
    {
        var key = await AddAsync(_now.AddDays(-2));
        await AddAsync(_now.AddDays(-1), s_strangers);
        var changed = await AddAsync(_now.AddMinutes(-1));
        await _database.SqlAsync($"update signing_keys set signs_from = signs_from - interval '1 hour' where kid = '{changed.Kid}'");
        using var ring = Ring();
        Assert.Equal([key.Kid], await PublishedAsync(ring));
        Assert.Equal(key.Kid, await SignerAsync(ring));
    }

    [Fact]
    public async Task ARowThatSomebodyChangedOpensNothingAndAnOpenKeyGoesOnAsItWas()
    {
        var key = await AddAsync(_now.AddDays(-2));
        var changed = await AddAsync(_now.AddDays(-1));
        using var ring = Ring();
        Assert.Equal(changed.Kid, await SignerAsync(ring));
        await _database.SqlAsync($"update signing_keys set signs_from = signs_from - interval '1 hour' where kid = '{changed.Kid}'");
        _clock.Advance(s_reread);
        // An instance that has only the old secret while a newer one seals the keys anew must not stop.
        Assert.Equal(changed.Kid, await SignerAsync(ring));

        using var startedLater = Ring();
        Assert.Equal([key.Kid], await PublishedAsync(startedLater));
        Assert.Equal(key.Kid, await SignerAsync(startedLater));
    }

    [Fact]
    public async Task AnInstanceWhoseClockIsBehindSignsWithTheFirstKeyToo()
    {
        var first = await AddAsync(_now.AddSeconds(10));
        using var ring = Ring();
        Assert.Equal(first.Kid, await SignerAsync(ring));
    }

    private SigningKeyRing Ring() => new(_services.GetRequiredService<IServiceScopeFactory>(), s_secrets, _clock);

    private static async Task<string> SignerAsync(SigningKeyRing ring) => (await ring.SignerAsync(CancellationToken.None)).KeyId;

    private static async Task<IEnumerable<string>> PublishedAsync(SigningKeyRing ring, string? wanted = null) =>
        (await ring.VerifiersAsync(wanted, CancellationToken.None)).Select(key => key.KeyId);

    private async Task<SigningKey> AddAsync(DateTimeOffset signsFrom, SecretKeys? secrets = null)
    {
        await using var db = _database.Open();
        var key = SigningKeySeal.Create(secrets ?? s_secrets, signsFrom);
        db.Add(key);
        await db.SaveChangesAsync();
        return key;
    }

    private async Task RetireAsync(SigningKey key)
    {
        await using var db = _database.Open();
        var row = await db.SigningKeys.SingleAsync(other => other.Kid == key.Kid);
        SigningKeySeal.Retire(row, _now, s_secrets);
        await db.SaveChangesAsync();
    }
}
