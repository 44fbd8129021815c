using Npgsql;

namespace Ariya.Tests.Distributed;

/// <summary>Holds rows locked, so that requests that need them line up in an order that a test chooses.</summary>
internal sealed class RowLock : IAsyncDisposable
{
    private readonly RunningAriya _ariya;
    private readonly NpgsqlConnection _connection;
    private readonly NpgsqlTransaction _transaction;

    private RowLock(RunningAriya ariya, NpgsqlConnection connection, NpgsqlTransaction transaction)
    {
        _ariya = ariya;
        _connection = connection;
        _transaction = transaction;
    }

    /// <param name="ariya">Whose database.</param>
    /// <param name="sql">A <c>select … for update</c>, or a change that is committed with the release, with one parameter.</param>
    /// <param name="parameter">Its value.</param>
    public static async Task<RowLock> TakeAsync(RunningAriya ariya, string sql, object parameter)
    {
        var connection = await ariya.Database.OpenConnectionAsync();
        var transaction = await connection.BeginTransactionAsync();
        await using var command = connection.CreateCommand();
#pragma warning disable CA2100 // The text is a literal of a test.
        command.CommandText = sql;
#pragma warning restore CA2100
        command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        await command.ExecuteNonQueryAsync();
        return new RowLock(ariya, connection, transaction);
    }

    /// <summary>Until so many statements wait for a lock.</summary>
    public Task WaitersAsync(int count) => Wait.UntilAsync($"{count} waiting statements", TimeSpan.FromSeconds(10), async () =>
        await _ariya.ScalarAsync<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") >= count ? "" : null);

    public Task ReleaseAsync() => _transaction.CommitAsync();

    public async ValueTask DisposeAsync()
    {
        await _transaction.DisposeAsync();
        await _connection.DisposeAsync();
    }
}
