using Microsoft.EntityFrameworkCore;

namespace Ariya.Data.Keys;

/// <summary>Makes signing keys; several processes may start at once and still make one.</summary>
public static class SigningKeyTable
{
    /// <summary>Makes the first key of a deployment, which signs at once. Does nothing when a key is in use.</summary>
    /// <returns>Whether a key was made.</returns>
    public static async Task<bool> EnsureAsync(AriyaDbContext db, SecretKeys secrets, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var now = await db.QueryFirstAsync(
            $"select clock_timestamp() from pg_advisory_xact_lock(hashtext('ariya.signing_keys'))",
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);
        if (await db.SigningKeys.AnyAsync(key => key.RetiredAt == null, cancellationToken))
        {
            return false;
        }

        db.SigningKeys.Add(SigningKeySeal.Create(secrets, now));
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return true;
    }
}
