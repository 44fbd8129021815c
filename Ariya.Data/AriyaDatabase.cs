using Npgsql;

namespace Ariya.Data;

/// <summary>
/// The database as one request, turn or command uses it: a connection of the pool for each call, or one for all calls of a transaction.
/// <see cref="Sql"/> has the calls. Not for several threads at once.
/// </summary>
/// <param name="source">The program's pool.</param>
public sealed class AriyaDatabase(NpgsqlDataSource source) : IAsyncDisposable
{
    /// <summary>The connection string's name, here and in the application model.</summary>
    public const string ConnectionName = "ariyadb";

    private DatabaseTransaction? _transaction;
    private bool _isDisposed;

    internal bool IsInTransaction => _transaction is not null;

    /// <summary>Begins a transaction: every call is part of it until it is committed or disposed.</summary>
    /// <exception cref="InvalidOperationException">There is one already.</exception>
    public async Task<DatabaseTransaction> BeginTransactionAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        if (_transaction is not null)
        {
            throw new InvalidOperationException("There is a transaction already.");
        }

        var connection = await source.OpenConnectionAsync(cancellationToken);
        try
        {
            return _transaction = new DatabaseTransaction(this, connection, await connection.BeginTransactionAsync(cancellationToken));
        }
        catch
        {
            await connection.DisposeAsync();
            throw;
        }
    }

    /// <summary>Undoes a transaction that was not committed. Who comes later would be outside of it, and is refused.</summary>
    public ValueTask DisposeAsync()
    {
        _isDisposed = true;
        return _transaction?.DisposeAsync() ?? ValueTask.CompletedTask;
    }

    /// <summary>A connection for one call, to be disposed after it.</summary>
    internal async ValueTask<ConnectionLease> LeaseAsync(CancellationToken cancellationToken)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        return _transaction is { } transaction
            ? new ConnectionLease(transaction.Connection, isOwn: false)
            : new ConnectionLease(await source.OpenConnectionAsync(cancellationToken), isOwn: true);
    }

    internal void End(DatabaseTransaction transaction)
    {
        if (_transaction == transaction)
        {
            _transaction = null;
        }
    }

    internal readonly struct ConnectionLease(NpgsqlConnection connection, bool isOwn) : IAsyncDisposable
    {
        public NpgsqlConnection Connection => connection;

        public ValueTask DisposeAsync() => isOwn ? connection.DisposeAsync() : ValueTask.CompletedTask;
    }
}

/// <summary>A transaction of an <see cref="AriyaDatabase"/>. Disposed before it is committed, it is undone.</summary>
public sealed class DatabaseTransaction : IAsyncDisposable
{
    private readonly AriyaDatabase _database;
    private readonly NpgsqlTransaction _transaction;
    private bool _isDisposed;

    internal DatabaseTransaction(AriyaDatabase database, NpgsqlConnection connection, NpgsqlTransaction transaction) =>
        (_database, Connection, _transaction) = (database, connection, transaction);

    internal NpgsqlConnection Connection { get; }

    /// <exception cref="NpgsqlException">The connection broke: whether it was committed is not known.</exception>
    public async Task CommitAsync(CancellationToken cancellationToken)
    {
        await _transaction.CommitAsync(cancellationToken);
        _database.End(this);
    }

    public async ValueTask DisposeAsync()
    {
        // Once only: the driver gives the same object to whoever has the connection next.
        if (_isDisposed)
        {
            return;
        }

        _isDisposed = true;
        _database.End(this);
        try
        {
            await _transaction.DisposeAsync();
        }
        finally
        {
            await Connection.DisposeAsync();
        }
    }
}
