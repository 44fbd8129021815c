using Ariya.Data;
using Ariya.Data.Passwords;
using Microsoft.EntityFrameworkCore;

namespace Ariya.Api.Passwords;

/// <summary>
/// Makes and checks password hashes with the deployment's algorithm. Every method costs one or more hashes, so callers hold
/// a place in the <see cref="HashGate"/> first.
/// </summary>
internal sealed class PasswordHasher(IServiceScopeFactory scopes)
{
    private volatile Recorded? _recorded;

    public string Create(string password) => PasswordHash.Create(Current.Algorithm, password);

    public static bool Verify(string stored, string password) => PasswordHash.Verify(stored, password);

    /// <summary>Whether a stored hash is weaker than a new one would be.</summary>
    public bool NeedsRehash(string stored) => PasswordHash.NeedsRehash(stored, Current.Algorithm);

    /// <summary>The cost of a check for an address without an account; never true.</summary>
    public bool VerifyNobody(string password) => PasswordHash.Verify(Current.NobodysHash, password) && false;

    /// <summary>Reads the recorded algorithm once. Until that has worked no password is hashed or checked.</summary>
    /// <exception cref="InvalidOperationException">This machine cannot compute the recorded algorithm or a stored one.</exception>
    public async ValueTask EnsureReadyAsync(CancellationToken cancellationToken)
    {
        if (_recorded is not null)
        {
            return;
        }

        await using var scope = scopes.CreateAsyncScope();
        var db = scope.ServiceProvider.GetRequiredService<AriyaDbContext>();
        var algorithm = await db.DeploymentSettings
            .Where(setting => setting.Name == DeploymentSetting.PasswordAlgorithm)
            .Select(setting => setting.Value)
            .SingleOrDefaultAsync(cancellationToken)
            ?? throw new InvalidOperationException("The database records no password algorithm. Run: Ariya.Worker migrate");
        var stored = await db.QueryAsync(
            $"select distinct split_part(password_hash, '$', 2) from accounts", row => row.GetString(0), cancellationToken);
        foreach (var needed in stored.Append(algorithm).Distinct())
        {
            if (!PasswordHash.CanCompute(needed))
            {
                throw new InvalidOperationException(
                    $"The database holds passwords hashed with '{needed}', which this machine cannot compute. Install the package libargon2-1 (Debian, Ubuntu) or libargon2 (Fedora, Alpine).");
            }
        }

        _recorded = new Recorded(algorithm, PasswordHash.Create(algorithm, Guid.CreateVersion7().ToString()));
    }

    private Recorded Current => _recorded ?? throw new InvalidOperationException($"{nameof(EnsureReadyAsync)} has not run.");

    private sealed record Recorded(string Algorithm, string NobodysHash);
}
