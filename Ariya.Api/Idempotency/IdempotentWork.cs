using Ariya.Api.Problems;
using Ariya.Data;
using Ariya.Data.Idempotency;
using Npgsql;

namespace Ariya.Api.Idempotency;

/// <summary>
/// The work of one request. With an Idempotency-Key its effect and the record of its answer are one transaction, and a second request with
/// the key gets the answer of the first; without one this does nothing.
/// </summary>
internal sealed class IdempotentWork(AriyaDatabase db, IServiceScopeFactory scopes) : IAsyncDisposable
{
    // Longer than a statement may hold the lock.
    private static readonly TimeSpan s_patienceWithCommit = TimeSpan.FromSeconds(6);
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(50);

    private readonly List<Action> _whenCommitted = [];
    private byte[]? _id;
    private byte[] _fingerprint = [];
    private DatabaseTransaction? _transaction;

    /// <summary>
    /// Runs the statements of the effect, after everything slow. With a key they are in the transaction that the record will be in, and are run
    /// again when a conflict with another transaction undid it; without one each statement or batch is its own transaction.
    /// </summary>
    /// <exception cref="AnsweredElsewhereException">Another instance works, or has worked, on the same request.</exception>
    public async Task<T> DoAsync<T>(Func<Task<T>> effect, CancellationToken cancellationToken)
    {
        if (_id is null)
        {
            return await effect();
        }

        for (var retries = 0; ; retries++)
        {
            await BeginAsync(cancellationToken);
            try
            {
                return await effect();
            }
            catch (PostgresException exception) when (Conflicts.IsConflict(exception) && retries < Conflicts.MaxRetries)
            {
                await DropAsync();
                await Conflicts.PauseAsync(cancellationToken);
            }
        }
    }

    /// <summary>Runs an action when the effect is committed: at once where it is so already.</summary>
    public void WhenCommitted(Action action)
    {
        if (_transaction is null)
        {
            action();
        }
        else
        {
            _whenCommitted.Add(action);
        }
    }

    /// <summary>The answer that was given to this request before; 409 when it is being given just now; null when it is new.</summary>
    public async Task<IResult?> FindAsync(byte[] id, byte[] fingerprint, CancellationToken cancellationToken)
    {
        (_id, _fingerprint) = (id, fingerprint);
        var (isFree, answer) = await LookAsync(db, cancellationToken);
        return answer ?? (isFree ? null : Problem.IdempotencyInFlight());
    }

    /// <summary>Does the work and records its answer.</summary>
    /// <param name="work">Hands its statements to <see cref="DoAsync"/>.</param>
    /// <param name="http">The request.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<IResult> RunAsync(Func<Task<IResult>> work, HttpContext http, CancellationToken cancellationToken)
    {
        try
        {
            var result = await work();
            var answer = await StoredAnswer.OfAsync(result, http);
            if (!answer.IsKept)
            {
                return result;
            }

            // A refusal without an effect has no transaction yet.
            await BeginAsync(cancellationToken);
            await RecordAsync(answer, cancellationToken);
            await CommitAsync();
            return answer.ToResult(isReplayed: false);
        }
        catch (AnsweredElsewhereException elsewhere)
        {
            return elsewhere.Answer;
        }
        finally
        {
            // Before the answer is on its way: a repeat must not find the lock of a transaction that is over.
            await DropAsync();
        }
    }

    public ValueTask DisposeAsync() => new(DropAsync());

    private Task<int> RecordAsync(StoredAnswer answer, CancellationToken cancellationToken) => db.ExecuteAsync(
        $"""
         insert into idempotency_keys (id, fingerprint, status, content_type, etag, body)
         values ({_id}, {_fingerprint}, {answer.Status}, {answer.ContentType}, {answer.ETag}, {answer.Body})
         on conflict (id) do update
           set fingerprint = excluded.fingerprint, status = excluded.status, content_type = excluded.content_type, etag = excluded.etag,
               body = excluded.body, created_at = clock_timestamp()
         """,
        cancellationToken);

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (_transaction is not null)
        {
            return;
        }

        _transaction = await db.BeginTransactionAsync(cancellationToken);
        var (isFree, answer) = await LookAsync(db, cancellationToken);
        if (!isFree && answer is null)
        {
            // Perhaps only somebody who looked at this very moment.
            await Task.Delay(s_pause, cancellationToken);
            (isFree, answer) = await LookAsync(db, cancellationToken);
        }

        if (answer is not null || !isFree)
        {
            throw new AnsweredElsewhereException(answer ?? Problem.IdempotencyInFlight());
        }
    }

    // Not cut short by a caller who has gone: everything is done but this. When the connection breaks now nobody knows what became of it; the record
    // tells, as soon as the lock is free. The work is not done a second time.
    private async Task CommitAsync()
    {
        var whenCommitted = _whenCommitted.ToList();
        try
        {
            await _transaction!.CommitAsync(CancellationToken.None);
        }
        catch (Exception exception) when (exception is NpgsqlException and not PostgresException or IOException or TimeoutException)
        {
            await DropAsync();
            if (!await WasCommittedAsync())
            {
                throw;
            }
        }

        whenCommitted.ForEach(action => action());
    }

    private async Task<bool> WasCommittedAsync()
    {
        using var patience = new CancellationTokenSource(s_patienceWithCommit);
        try
        {
            while (true)
            {
                await using var scope = scopes.CreateAsyncScope();
                var (isFree, answer) = await LookAsync(scope.ServiceProvider.GetRequiredService<AriyaDatabase>(), patience.Token);
                if (isFree || answer is not null)
                {
                    return answer is not null;
                }

                await Task.Delay(s_pause, patience.Token);
            }
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    // The lock is held by the transaction of whoever is at it, here or on another instance; outside of a transaction it is let go at once. The row is read
    // by a later statement than the lock is taken by: what was committed before is seen.
    private async Task<(bool IsFree, IResult? Answer)> LookAsync(AriyaDatabase database, CancellationToken cancellationToken)
    {
        var isFree = false;
        IResult? answer = null;
        await database.BatchAsync(
            [
                new SqlStep($"select pg_try_advisory_xact_lock({BitConverter.ToInt64(_id!)})", row => isFree = row.GetBoolean(0)),
                new SqlStep(
                    $"""
                     select fingerprint, status, content_type, etag, body from idempotency_keys
                     where id = {_id} and created_at > clock_timestamp() - {IdempotencyKey.Lifetime}
                     """,
                    row => answer = row.Get<byte[]>("fingerprint").AsSpan().SequenceEqual(_fingerprint)
                        ? new StoredAnswer(row.Get<int>("status"), row.GetNullable<string>("content_type"), row.GetNullable<string>("etag"),
                            row.Get<byte[]>("body")).ToResult(isReplayed: true)
                        : Problem.IdempotencyKeyReused()),
            ],
            cancellationToken);
        return (isFree, answer);
    }

    private async Task DropAsync()
    {
        if (_transaction is { } transaction)
        {
            _transaction = null;
            _whenCommitted.Clear();
            await transaction.DisposeAsync();
        }
    }
}

/// <summary>
/// Ends a piece of work that turns out to be another's, from however deep in it; thrown rarely, because most repeats are found before the
/// work begins.
/// </summary>
internal sealed class AnsweredElsewhereException(IResult answer) : Exception("The same request is, or was, worked on elsewhere.")
{
    public IResult Answer => answer;
}
