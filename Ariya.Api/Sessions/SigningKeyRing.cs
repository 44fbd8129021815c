using System.Security.Cryptography;
using Ariya.Data;
using Ariya.Data.Keys;
using Microsoft.IdentityModel.Tokens;

namespace Ariya.Api.Sessions;

/// <summary>The signing keys of the deployment, read from the database and opened once each.</summary>
internal sealed class SigningKeyRing(IServiceScopeFactory scopes, SecretKeys secrets, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan s_rereadAfter = TimeSpan.FromMinutes(1);

    // A token may carry a key this process has not read yet, but a stranger's made-up key must not cost a read each time.
    private static readonly TimeSpan s_rereadForUnknown = TimeSpan.FromSeconds(5);

    private static readonly TimeSpan s_rereadAfterFailure = TimeSpan.FromSeconds(2);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile Reading? _last;
    private volatile Failure? _failure;

    /// <summary>The key that signs now.</summary>
    /// <exception cref="InvalidOperationException">No key can be opened: <c>migrate</c> has not run, or JWT_SECRET is another one.</exception>
    public async ValueTask<ECDsaSecurityKey> SignerAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var keys = await KeysAsync(cancellationToken);
        // The database's clock says when a key signs; behind it, the first key would not sign for the difference.
        return (keys.LastOrDefault(key => key.SignsFrom <= now && key.CanSign) ?? keys.FirstOrDefault(key => key.CanSign))?.Key
            ?? throw new InvalidOperationException("No signing key can be opened. Run: Ariya.Worker migrate (with the JWT_SECRET of this deployment)");
    }

    /// <summary>The keys whose tokens may still be alive.</summary>
    /// <param name="wanted">The key that a token names: reads again, though not at every request, when it is not among them.</param>
    /// <param name="cancellationToken">Ends a wait for the database.</param>
    public async ValueTask<IReadOnlyList<ECDsaSecurityKey>> VerifiersAsync(string? wanted, CancellationToken cancellationToken)
    {
        var keys = await KeysAsync(cancellationToken);
        if (wanted is not null && !keys.Any(key => key.Key.KeyId == wanted))
        {
            keys = await KeysAsync(cancellationToken, s_rereadForUnknown);
        }

        return [.. keys.Select(key => key.Key)];
    }

    public void Dispose() => _reading.Dispose();

    private async ValueTask<IReadOnlyList<RingKey>> KeysAsync(CancellationToken cancellationToken, TimeSpan? maxAge = null)
    {
        var last = _last;
        if (last is not null && clock.GetElapsedTime(last.At) < (maxAge ?? s_rereadAfter))
        {
            return last.Keys;
        }

        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_last == last)
            {
                if (_failure is { } failure && clock.GetElapsedTime(failure.At) < s_rereadAfterFailure)
                {
                    // Whoever waited behind a read that failed does not wait for another.
                    throw new TimeoutException("The signing keys cannot be read.", failure.Exception);
                }

                _last = new Reading(clock.GetTimestamp(), await ReadAsync(last?.Keys ?? [], cancellationToken));
            }
        }
        catch (Exception exception) when (last is not null && exception is not OperationCanceledException)
        {
            // The database is away: the keys of a minute ago are still the keys. Not asked again by every waiter in turn.
            _last = last with { At = clock.GetTimestamp() };
        }
        catch (Exception exception) when (exception is not (OperationCanceledException or TimeoutException))
        {
            _failure = new Failure(clock.GetTimestamp(), exception);
            throw;
        }
        finally
        {
            _reading.Release();
        }

        return _last!.Keys;
    }

    private async Task<IReadOnlyList<RingKey>> ReadAsync(IReadOnlyList<RingKey> known, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var oldest = clock.GetUtcNow() - SigningKeyTable.PublishedAfterRetirement;
        var rows = await SigningKeyTable.ReadAsync(scope.ServiceProvider.GetRequiredService<AriyaDatabase>(), oldest, cancellationToken);
        return [.. rows.Select(row => Open(row, known)).OfType<RingKey>()];
    }

    // The row is judged at every read; a key that is open stays open.
    private RingKey? Open(SigningKey row, IReadOnlyList<RingKey> known)
    {
        if (!SigningKeySeal.IsGenuine(row, secrets))
        {
            // Sealed anew by a process that has a newer secret, or tampered with. A key that is open goes on as it was, whatever the row says.
            return known.FirstOrDefault(key => key.Key.KeyId == row.Kid);
        }

        return known.FirstOrDefault(key => key.Key.KeyId == row.Kid) is { } open ? open with { CanSign = row.RetiredAt is null }
            : SigningKeySeal.Open(row, secrets) is ECDsa key ? new RingKey(new ECDsaSecurityKey(key) { KeyId = row.Kid }, row.SignsFrom, row.RetiredAt is null)
            : null;
    }

    private sealed record RingKey(ECDsaSecurityKey Key, DateTimeOffset SignsFrom, bool CanSign);

    private sealed record Failure(long At, Exception Exception);

    private sealed record Reading(long At, IReadOnlyList<RingKey> Keys);
}
