using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Tests.Distributed;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Tests.Keys;

[Collection(RunningAriyaTests.Name)]
public sealed class SigningKeyTableTests(RunningAriya ariya) : IAsyncLifetime
{
    private static readonly SecretKeys s_secrets = new(["a secret of 32 characters and more, 0123456789"]);
    private static readonly SecretKeys s_newSecrets = new(["another secret of 32 characters and more, 98765"]);
    private static readonly SecretKeys s_bothSecrets =
        new(["another secret of 32 characters and more, 98765", "a secret of 32 characters and more, 0123456789"]);

    private OwnDatabase _database = null!;

    public async Task InitializeAsync() => _database = await OwnDatabase.CreateAsync(ariya);

    public async Task DisposeAsync() => await _database.DisposeAsync();

    [Fact]
    public async Task TheFirstKeySignsAtOnceAndIsMadeOnce()
    {
        Assert.Equal(new SigningKeyChanges(1, 0, 0, 0), await MaintainAsync(s_secrets));
        var key = Assert.Single(await RowsAsync());
        Assert.True(key.SignsFrom <= await NowAsync());
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 0), await MaintainAsync(s_secrets));
    }

    [Fact]
    public async Task ManyProcessesAtOnceMakeOneKey()
    {
        var changes = await Task.WhenAll(Enumerable.Range(0, 6).Select(_ => MaintainAsync(s_secrets)));
        Assert.Equal(1, changes.Sum(change => change.Made));
        Assert.Single(await RowsAsync());
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task AKeyOf90DaysGetsOneSuccessorThatSignsFifteenMinutesLater()
    {
        var old = await AddAsync(s_secrets, TimeSpan.FromDays(90));
        var changes = await Task.WhenAll(MaintainAsync(s_secrets), MaintainAsync(s_secrets));
        Assert.Equal(1, changes.Sum(change => change.Made));
        Assert.Equal(0, changes.Sum(change => change.Retired));

        var rows = await RowsAsync();
        Assert.Equal(old.Kid, rows[0].Kid);
        Assert.Null(rows[0].RetiredAt);
        Assert.InRange(rows[1].SignsFrom - rows[1].CreatedAt, TimeSpan.FromMinutes(15), TimeSpan.FromMinutes(16));
    }

    [Fact]
    public async Task AYoungerKeyHasNone()
    {
        await AddAsync(s_secrets, TimeSpan.FromDays(90) - TimeSpan.FromMinutes(1));
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 0), await MaintainAsync(s_secrets));
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task TheOlderKeyIsRetiredOnceTheNewOneSigns()
    {
        var old = await AddAsync(s_secrets, TimeSpan.FromDays(91));
        var pending = await AddAsync(s_secrets, TimeSpan.FromMinutes(-1));
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 0), await MaintainAsync(s_secrets));

        await RemoveAsync(pending);
        var signing = await AddAsync(s_secrets, TimeSpan.Zero);
        Assert.Equal(new SigningKeyChanges(0, 1, 0, 0), await MaintainAsync(s_secrets));
        var rows = (await RowsAsync()).ToDictionary(row => row.Kid);
        Assert.Null(rows[signing.Kid].RetiredAt);
        Assert.NotNull(rows[old.Kid].RetiredAt);
        Assert.All(rows.Values, row => Assert.True(SigningKeySeal.IsGenuine(row, s_secrets)));
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 0), await MaintainAsync(s_secrets));
    }

    [Fact]
    public async Task ANewSecretWithThePreviousOneSealsEveryLivingKeyAnew()
    {
        await AddAsync(s_secrets, TimeSpan.FromDays(91));
        await AddAsync(s_secrets, TimeSpan.FromMinutes(5));
        // Retired a moment ago: its last tokens live for minutes yet.
        Assert.Equal(1, (await MaintainAsync(s_secrets)).Retired);
        var before = (await RowsAsync()).ToDictionary(row => row.Kid);

        Assert.Equal(new SigningKeyChanges(0, 0, 2, 0), await MaintainAsync(s_bothSecrets));
        var after = await RowsAsync();
        Assert.Equal(2, after.Count);
        Assert.All(after, row =>
        {
            using var opened = SigningKeySeal.Open(row, s_newSecrets);
            Assert.NotNull(opened);
            Assert.Null(SigningKeySeal.Open(row, s_secrets));
            Assert.Equal(before[row.Kid].RetiredAt, row.RetiredAt);
            Assert.Equal(before[row.Kid].X, System.Buffers.Text.Base64Url.EncodeToString(opened.ExportParameters(false).Q.X));
        });
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 0), await MaintainAsync(s_newSecrets));
    }

    [Fact]
    public async Task ANewSecretWithoutThePreviousOneMakesANewKeyAndReportsTheOldOne()
    {
        var old = await AddAsync(s_secrets, TimeSpan.FromDays(1));
        Assert.Equal(new SigningKeyChanges(1, 0, 0, 1), await MaintainAsync(s_newSecrets));
        var key = (await RowsAsync()).Single(row => row.Kid != old.Kid);
        Assert.True(key.SignsFrom <= await NowAsync());
        Assert.Equal(new SigningKeyChanges(0, 0, 0, 1), await MaintainAsync(s_newSecrets));
    }

    [Theory]
    [InlineData("signs_from = signs_from - interval '1 day'")]
    [InlineData("kid = 'another'")]
    [InlineData("retired_at = now()")]
    [InlineData("x = y")]
    [InlineData("algorithm = 'ES384'")]
    [InlineData("sealed_private_key = set_byte(sealed_private_key, 20, 255 - get_byte(sealed_private_key, 20))")]
    [InlineData("seal_salt = set_byte(seal_salt, 0, 255 - get_byte(seal_salt, 0))")]
    [InlineData("row_mac = set_byte(row_mac, 0, 255 - get_byte(row_mac, 0))")]
    public async Task ARowThatSomebodyChangedIsReplacedAndReported(string change)
    {
        await AddAsync(s_secrets, TimeSpan.FromDays(1));
        await _database.SqlAsync($"update signing_keys set {change}");
        Assert.Equal(new SigningKeyChanges(1, 0, 0, 1), await MaintainAsync(s_secrets));
        Assert.Single(await RowsAsync(), row => SigningKeySeal.IsGenuine(row, s_secrets));
    }

    private async Task<SigningKeyChanges> MaintainAsync(SecretKeys secrets)
    {
        await using var source = NpgsqlDataSource.Create(_database.ConnectionString);
        return await SigningKeyTable.MaintainAsync(new AriyaDatabase(source), secrets, CancellationToken.None);
    }

    private async Task<SigningKey> AddAsync(SecretKeys secrets, TimeSpan signsSince)
    {
        await using var db = _database.Open();
        var key = SigningKeySeal.Create(secrets, await NowAsync() - signsSince);
        db.Add(key);
        await db.SaveChangesAsync();
        return key;
    }

    private async Task RemoveAsync(SigningKey key)
    {
        await using var db = _database.Open();
        db.Remove(key);
        await db.SaveChangesAsync();
    }

    private async Task<List<SigningKey>> RowsAsync()
    {
        await using var db = _database.Open();
        return await db.SigningKeys.AsNoTracking().OrderBy(key => key.SignsFrom).ToListAsync();
    }

    // In the database's microseconds, as the rows keep it.
    private async Task<DateTimeOffset> NowAsync() => new(await ariya.ScalarAsync<DateTime>("select clock_timestamp()"));
}
