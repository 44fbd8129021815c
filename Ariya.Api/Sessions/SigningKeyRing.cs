using System.Security.Cryptography;
using Ariya.Data;
using Ariya.Data.Keys;
using Microsoft.EntityFrameworkCore;
using Microsoft.IdentityModel.Tokens;

namespace Ariya.Api.Sessions;

/// <summary>The signing keys of the deployment, read from the database and opened once each.</summary>
internal sealed class SigningKeyRing(IServiceScopeFactory scopes, SecretKeys secrets, TimeProvider clock) : IDisposable
{
    private static readonly TimeSpan s_rereadAfter = TimeSpan.FromMinutes(1);

    private readonly SemaphoreSlim _reading = new(1);
    private volatile Reading? _last;

    /// <summary>The key that signs now.</summary>
    /// <exception cref="InvalidOperationException">No key can be opened: <c>migrate</c> has not run, or JWT_SECRET is another one.</exception>
    public async ValueTask<ECDsaSecurityKey> SignerAsync(CancellationToken cancellationToken)
    {
        var now = clock.GetUtcNow();
        var keys = await KeysAsync(cancellationToken);
        return keys.LastOrDefault(key => key.SignsFrom <= now && key.CanSign)?.Key
            ?? throw new InvalidOperationException("No signing key can be opened. Run: Ariya.Worker migrate (with the JWT_SECRET of this deployment)");
    }

    /// <summary>The keys whose tokens may still be alive.</summary>
    public async ValueTask<IReadOnlyList<SecurityKey>> VerifiersAsync(CancellationToken cancellationToken) =>
        [.. (await KeysAsync(cancellationToken)).Select(key => key.Key)];

    public void Dispose() => _reading.Dispose();

    private async ValueTask<IReadOnlyList<RingKey>> KeysAsync(CancellationToken cancellationToken)
    {
        var last = _last;
        if (last is not null && clock.GetElapsedTime(last.At) < s_rereadAfter)
        {
            return last.Keys;
        }

        await _reading.WaitAsync(cancellationToken);
        try
        {
            if (_last == last)
            {
                _last = new Reading(clock.GetTimestamp(), await ReadAsync(last?.Keys ?? [], cancellationToken));
            }

            return _last!.Keys;
        }
        finally
        {
            _reading.Release();
        }
    }

    private async Task<IReadOnlyList<RingKey>> ReadAsync(IReadOnlyList<RingKey> known, CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var rows = await scope.ServiceProvider.GetRequiredService<AriyaDbContext>().SigningKeys.AsNoTracking()
            .OrderBy(key => key.SignsFrom).ToListAsync(cancellationToken);
        return [.. rows.Select(row => Open(row, known)).OfType<RingKey>()];
    }

    // Opening costs a password-grade derivation, so a key that is open stays open.
    private RingKey? Open(SigningKey row, IReadOnlyList<RingKey> known)
    {
        if (known.FirstOrDefault(key => key.Key.KeyId == row.Kid) is { } open)
        {
            return open with { CanSign = row.RetiredAt is null };
        }

        return SigningKeySeal.Open(row, secrets) is ECDsa key
            ? new RingKey(new ECDsaSecurityKey(key) { KeyId = row.Kid }, row.SignsFrom, row.RetiredAt is null)
            : null;
    }

    private sealed record RingKey(ECDsaSecurityKey Key, DateTimeOffset SignsFrom, bool CanSign);

    private sealed record Reading(long At, IReadOnlyList<RingKey> Keys);
}
