using Ariya.Data;
using Ariya.Tests.Mail.Outbox;
using Npgsql;

namespace Ariya.Tests.Upkeep;

/// <summary>What is in a transaction of <see cref="AriyaDatabase"/>, and what becomes of it.</summary>
public sealed class TransactionTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    [Fact]
    public async Task EveryCallIsPartOfItUntilItIsCommitted()
    {
        await using var source = NpgsqlDataSource.Create(Connection);
        await using var db = new AriyaDatabase(source);
        await using (var transaction = await db.BeginTransactionAsync(CancellationToken.None))
        {
            await AddAsync(db, "in");
            Assert.Equal("in", await NamesAsync(db));
            Assert.Null(await OutsideAsync());
            await Assert.ThrowsAsync<InvalidOperationException>(() => db.BeginTransactionAsync(CancellationToken.None));
            await transaction.CommitAsync(CancellationToken.None);
            Assert.Equal("in", await OutsideAsync());
            await AddAsync(db, "after");
            Assert.Equal("after,in", await OutsideAsync());
        }

        await using var next = await db.BeginTransactionAsync(CancellationToken.None);
    }

    [Fact]
    public async Task NotCommittedItIsUndoneAndNobodyElsesIs()
    {
        // One connection: whoever begins next has the same, and the driver's same object with it.
        await using var source = NpgsqlDataSource.Create($"{Connection};Maximum Pool Size=1");
        await using var db = new AriyaDatabase(source);
        var first = await db.BeginTransactionAsync(CancellationToken.None);
        await AddAsync(db, "first");
        await first.DisposeAsync();
        await using (var second = await db.BeginTransactionAsync(CancellationToken.None))
        {
            await AddAsync(db, "second");
            await first.DisposeAsync();
            await second.CommitAsync(CancellationToken.None);
        }

        Assert.Equal("second", await OutsideAsync());
    }

    [Fact]
    public async Task WhoeverComesAfterItsEndIsRefusedAndNotLeftOutsideOfIt()
    {
        await using var source = NpgsqlDataSource.Create(Connection);
        var db = new AriyaDatabase(source);
        await db.BeginTransactionAsync(CancellationToken.None);
        await AddAsync(db, "in");
        await db.DisposeAsync();
        await Assert.ThrowsAsync<ObjectDisposedException>(() => AddAsync(db, "late"));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => db.BeginTransactionAsync(CancellationToken.None));
        Assert.Null(await OutsideAsync());
    }

    private static Task<int> AddAsync(AriyaDatabase db, string name) =>
        db.ExecuteAsync($"insert into deployment_settings (name, value) values ({name}, '')", CancellationToken.None);

    private static Task<string?> NamesAsync(AriyaDatabase db) =>
        db.QueryFirstAsync($"select string_agg(name, ',' order by name) from deployment_settings", row => row.GetString(0), CancellationToken.None);

    private Task<string?> OutsideAsync() => ScalarAsync<string>("select string_agg(name, ',' order by name) from deployment_settings");
}
