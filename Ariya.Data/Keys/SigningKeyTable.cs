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
    public static async Task<SigningKeyChanges> MaintainAsync(AriyaDatabase db, SecretKeys secrets, CancellationToken cancellationToken)
    {
        await using var transaction = await db.BeginTransactionAsync(cancellationToken);
        var now = await db.QueryFirstAsync(
            $"select clock_timestamp() from pg_advisory_xact_lock(hashtext('ariya.signing_keys'))",
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);
        var published = now - PublishedAfterRetirement;
        var rows = await ReadAsync(db, published, cancellationToken);
        var readable = rows.Where(row => SigningKeySeal.IsGenuine(row, secrets)).ToList();
        var resealed = readable.Where(row => Reseal(row, secrets)).ToList();
        var signing = readable.Where(row => row.RetiredAt is null).ToList();
        var retired = signing.Where(row => row.SignsFrom < now && signing.Any(newer => newer.SignsFrom > row.SignsFrom && newer.SignsFrom <= now)).ToList();
        retired.ForEach(row => SigningKeySeal.Retire(row, now, secrets));
        foreach (var row in resealed.Union(retired))
        {
            await UpdateAsync(db, row, cancellationToken);
        }

        var made = await MakeAsync(db, secrets, signing, now, cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        return new SigningKeyChanges(made, retired.Count, resealed.Count, rows.Count - readable.Count);
    }

    /// <summary>
    /// A new key before its time. In time it is published and signs 15 minutes later; at once it signs now and the others are not published
    /// any more, so that every token they signed is refused within the minute in which verifiers read the keys again.
    /// </summary>
    public static async Task RotateAsync(AriyaDatabase db, SecretKeys secrets, bool isNow, CancellationToken cancellationToken)
    {
        await using var transaction = await db.BeginTransactionAsync(cancellationToken);
        var now = await db.QueryFirstAsync(
            $"select clock_timestamp() from pg_advisory_xact_lock(hashtext('ariya.signing_keys'))",
            row => row.GetFieldValue<DateTimeOffset>(0), cancellationToken);
        if (isNow)
        {
            // With room for a verifier's clock that is behind. A row that this deployment did not write is not published anyway.
            var longAgo = now - PublishedAfterRetirement - TimeSpan.FromDays(1);
            foreach (var row in (await ReadAsync(db, longAgo, cancellationToken)).Where(row => SigningKeySeal.IsGenuine(row, secrets)))
            {
                Reseal(row, secrets);
                SigningKeySeal.Retire(row, longAgo, secrets);
                await UpdateAsync(db, row, cancellationToken);
            }
        }

        await InsertAsync(db, SigningKeySeal.Create(secrets, isNow ? now : now + s_publishedBeforeSigning), cancellationToken);
        await transaction.CommitAsync(cancellationToken);
    }

    /// <summary>The keys that are not retired, or were after a moment; those that sign first come first.</summary>
    public static Task<List<SigningKey>> ReadAsync(AriyaDatabase db, DateTimeOffset retiredAfter, CancellationToken cancellationToken) => db.QueryAsync(
        $"""
         select kid, algorithm, x, y, sealed_private_key, seal_salt, signs_from, retired_at, created_at, row_mac from signing_keys
         where retired_at is null or retired_at > {retiredAfter} order by signs_from
         """,
        row => new SigningKey
        {
            Kid = row.Get<string>("kid"),
            Algorithm = row.Get<string>("algorithm"),
            X = row.Get<string>("x"),
            Y = row.Get<string>("y"),
            SealedPrivateKey = row.Get<byte[]>("sealed_private_key"),
            SealSalt = row.Get<byte[]>("seal_salt"),
            SignsFrom = row.Get<DateTimeOffset>("signs_from"),
            RetiredAt = row.GetNullable<DateTimeOffset?>("retired_at"),
            CreatedAt = row.Get<DateTimeOffset>("created_at"),
            RowMac = row.Get<byte[]>("row_mac"),
        },
        cancellationToken);

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

    private static async Task<int> MakeAsync(AriyaDatabase db, SecretKeys secrets, List<SigningKey> signing, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var newest = signing.LastOrDefault();
        if (newest is not null && now - newest.SignsFrom < RotationAge)
        {
            return 0;
        }

        await InsertAsync(db, SigningKeySeal.Create(secrets, newest is null ? now : now + s_publishedBeforeSigning), cancellationToken);
        return 1;
    }

    private static Task<int> InsertAsync(AriyaDatabase db, SigningKey row, CancellationToken cancellationToken) => db.ExecuteAsync(
        $"""
         insert into signing_keys (kid, algorithm, x, y, sealed_private_key, seal_salt, signs_from, row_mac)
         values ({row.Kid}, {row.Algorithm}, {row.X}, {row.Y}, {row.SealedPrivateKey}, {row.SealSalt}, {row.SignsFrom}, {row.RowMac})
         """,
        cancellationToken);

    private static async Task UpdateAsync(AriyaDatabase db, SigningKey row, CancellationToken cancellationToken)
    {
        var changed = await db.ExecuteAsync(
            $"""
             update signing_keys set sealed_private_key = {row.SealedPrivateKey}, seal_salt = {row.SealSalt}, retired_at = {row.RetiredAt}, row_mac = {row.RowMac}
             where kid = {row.Kid}
             """,
            cancellationToken);
        if (changed != 1)
        {
            throw new InvalidOperationException($"The signing key {row.Kid} has gone meanwhile.");
        }
    }
}
