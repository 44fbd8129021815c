using Ariya.Data.Keys;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>The worker keeps the signing keys; here an hour passes in a tenth of a second.</summary>
public sealed class SigningKeyMaintenanceTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly DateTimeOffset s_now = TimeProvider.System.GetUtcNow();

    [Fact]
    [Trait("Promise", "P32")]
    public async Task AnOldKeyGetsASuccessorAndSignsUntilThatOneDoes()
    {
        var old = await AddKeyAsync(s_now - TimeSpan.FromDays(91));
        var worker = Worker(settings => settings.Clock = new HastyClock(36_000));
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Signing keys: 1 made, 0 retired");

        Assert.Equal(2, await ScalarAsync<long>("select count(*) from signing_keys where retired_at is null"));
        Assert.Equal(1, await ScalarAsync<long>(
            """
            select count(*) from signing_keys
            where kid <> $1 and signs_from between now() + interval '10 minutes' and now() + interval '20 minutes'
            """, old));
    }

    [Fact]
    public async Task AYoungKeyIsLeftAloneAndASupersededOneRetired()
    {
        var superseded = await AddKeyAsync(s_now - TimeSpan.FromDays(89));
        await AddKeyAsync(s_now - TimeSpan.FromMinutes(1));
        var worker = Worker(settings => settings.Clock = new HastyClock(36_000));
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Signing keys: 0 made, 1 retired");
        Assert.Equal(superseded, await ScalarAsync<string>("select kid from signing_keys where retired_at is not null"));
    }

    [Fact]
    public async Task AnErrorIsLoggedAndTheNextHourDoesTheWork()
    {
        await SqlAsync("alter table signing_keys rename to elsewhere");
        var worker = Worker(settings => settings.Clock = new HastyClock(36_000));
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Signing keys were not maintained");
        await SqlAsync("alter table elsewhere rename to signing_keys");
        await worker.Log.ContainingAsync("Signing keys: 1 made");
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from signing_keys where signs_from <= clock_timestamp()"));
    }

    [Fact]
    public async Task KeysAreSealedAnewWhenTheSecretChanges()
    {
        await AddKeyAsync(s_now - TimeSpan.FromDays(1));
        var before = await ScalarAsync<byte[]>("select sealed_private_key from signing_keys");
        var worker = Worker(settings =>
        {
            settings.Clock = new HastyClock(36_000);
            settings.Keys = WorkerSettings.LaterSecrets;
        });
        await worker.StartAsync();
        await worker.Log.ContainingAsync("1 sealed anew");
        Assert.NotEqual(before, await ScalarAsync<byte[]>("select sealed_private_key from signing_keys"));
    }

    private async Task<string> AddKeyAsync(DateTimeOffset signsFrom)
    {
        // In microseconds, as the database keeps it: the row's seal covers the time.
        var key = SigningKeySeal.Create(WorkerSettings.Secrets, new DateTimeOffset(signsFrom.UtcTicks / 10 * 10, TimeSpan.Zero));
        await SqlAsync(
            """
            insert into signing_keys (kid, algorithm, x, y, sealed_private_key, seal_salt, signs_from, row_mac)
            values ($1, $2, $3, $4, $5, $6, $7, $8)
            """,
            key.Kid, key.Algorithm, key.X, key.Y, key.SealedPrivateKey, key.SealSalt, key.SignsFrom, key.RowMac);
        return key.Kid;
    }
}
