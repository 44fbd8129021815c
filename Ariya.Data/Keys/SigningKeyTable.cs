using Microsoft.EntityFrameworkCore;

namespace Ariya.Data.Keys;

/// <summary>What <see cref="SigningKeyTable.MaintainAsync"/> did.</summary>
/// <param name="Made">Keys made.</param>
/// <param name="Retired">Keys that stopped signing.</param>
/// <param name="Resealed">Keys sealed anew after a change of JWT_SECRET.</param>
/// <param name="Unreadable">Keys that no configured secret opens; their tokens are refused.</param>
public sealed record SigningKeyChanges(int Made, int Retired, int Resealed, int Unreadable);

/// <summary>Makes, rotates and re-seals signing keys; several processes may do so at once and one does it.</summary>
public static class SigningKeyTable
{
    /// <summary>A key signs this long before the next one is made.</summary>
    public static readonly TimeSpan RotationAge = TimeSpan.FromDays(90);

    /// <summary>A retired key is published until its last token is dead: lifetime at most an hour, skew, and time to read the list.</summary>
    public static readonly TimeSpan PublishedAfterRetirement = TimeSpan.FromMinutes(66);

    // Verifiers cache the list of keys; a key signs only when they have had time to read it.
    private static readonly TimeSpan s_publishedBeforeSigning = TimeSpan.FromMinutes(15);

    /// <summary>
    /// Brings the keys to where they should be: one at least that signs (the first one at once); a new one when the newest is 90 days
    /// old, which signs 15 minutes later; older ones retired once it signs; all sealed with the newest secret.
    /// </summary>
    public static async Task<SigningKeyChanges> MaintainAsync(AriyaDbContext db, SecretKeys secrets, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var now = await db.QueryFirstAsync(
            $"select clock_timestamp() from pg_advisory_xact_lock(hashtext('ariya.signing_keys'))",
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);
        var published = now - PublishedAfterRetirement;
        var rows = await db.SigningKeys.Where(key => key.RetiredAt == null || key.RetiredAt > published)
            .OrderBy(key => key.SignsFrom).ToListAsync(cancellationToken);
        var readable = rows.Where(row => SigningKeySeal.IsGenuine(row, secrets)).ToList();
        var resealed = readable.Count(row => Reseal(row, secrets));
        var signing = readable.Where(row => row.RetiredAt is null).ToList();
        var made = Make(db, secrets, signing, now);
        var retired = signing.Where(row => row.SignsFrom < now && signing.Any(newer => newer.SignsFrom > row.SignsFrom && newer.SignsFrom <= now)).ToList();
        retired.ForEach(row => SigningKeySeal.Retire(row, now, secrets));
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new SigningKeyChanges(made, retired.Count, resealed, rows.Count - readable.Count);
    }

    /// <summary>
    /// A new key before its time. In time it is published and signs 15 minutes later; at once it signs now and the others are not published
    /// any more, so that every token they signed is refused within the minute in which verifiers read the keys again.
    /// </summary>
    public static async Task RotateAsync(AriyaDbContext db, SecretKeys secrets, bool isNow, CancellationToken cancellationToken)
    {
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var now = await db.QueryFirstAsync(
            $"select clock_timestamp() from pg_advisory_xact_lock(hashtext('ariya.signing_keys'))",
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);
        if (isNow)
        {
            // With room for a verifier's clock that is behind. A row that this deployment did not write is not published anyway.
            var longAgo = now - PublishedAfterRetirement - TimeSpan.FromDays(1);
            var rows = await db.SigningKeys.Where(key => key.RetiredAt == null || key.RetiredAt > longAgo).ToListAsync(cancellationToken);
            foreach (var row in rows.Where(row => SigningKeySeal.IsGenuine(row, secrets)))
            {
                Reseal(row, secrets);
                SigningKeySeal.Retire(row, longAgo, secrets);
            }
        }

        db.SigningKeys.Add(SigningKeySeal.Create(secrets, isNow ? now : now + s_publishedBeforeSigning));
        await db.SaveChangesAsync(cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    private static bool Reseal(SigningKey row, SecretKeys secrets)
    {
        if (SigningKeySeal.SealerOf(row, secrets) == secrets.KeyIds[0])
        {
            return false;
        }

        using var key = SigningKeySeal.Open(row, secrets)!;
        SigningKeySeal.Reseal(row, key, secrets);
        return true;
    }

    private static int Make(AriyaDbContext db, SecretKeys secrets, List<SigningKey> signing, DateTimeOffset now)
    {
        var newest = signing.LastOrDefault();
        if (newest is not null && now - newest.SignsFrom < RotationAge)
        {
            return 0;
        }

        db.SigningKeys.Add(SigningKeySeal.Create(secrets, newest is null ? now : now + s_publishedBeforeSigning));
        return 1;
    }
}
