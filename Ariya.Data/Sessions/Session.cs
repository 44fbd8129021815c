using Ariya.Data.Accounts;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Sessions;

/// <summary>
/// One signed-in device. Its refresh token is derived from id, generation and nonce under a key outside the database,
/// so that nothing usable rests here.
/// </summary>
public sealed class Session
{
    public required Guid Id { get; init; }
    public required Guid AccountId { get; init; }

    /// <summary>The account's epoch when the session began; the session is dead when the account has moved on.</summary>
    public required int AuthEpoch { get; init; }

    /// <summary>16 random bytes, part of every refresh token of this session.</summary>
    public required byte[] Nonce { get; init; }

    public long Generation { get; set; }
    public DateTimeOffset RotatedAt { get; set; }

    /// <summary>HMAC of the Idempotency-Key that the last rotation carried.</summary>
    public byte[]? RotationKey { get; set; }

    /// <summary>Where the last rotation came from, to tell the owner's second tab from a thief.</summary>
    public string? RotationNetwork { get; set; }
    public string? RotationUserAgent { get; set; }

    /// <summary>
    /// The generation whose token was last handed out a second time to another network. Twice running is no accident.
    /// </summary>
    public long? ForeignRepeatGeneration { get; set; }

    /// <summary>What the last refresh was judged to be: rotate, again, reuse or rolled_back.</summary>
    public string? Verdict { get; set; }

    public required string UserAgent { get; init; }

    /// <summary>The network prefix of the sign-in: /24 or /48.</summary>
    public required string Network { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset LastUsedAt { get; set; }
    public DateTimeOffset IdleExpiresAt { get; set; }
    public DateTimeOffset ExpiresAt { get; init; }
    public DateTimeOffset? RevokedAt { get; set; }
    public string? RevokedReason { get; set; }
}

internal sealed class SessionConfiguration : IEntityTypeConfiguration<Session>
{
    public void Configure(EntityTypeBuilder<Session> builder)
    {
        builder.HasOne<Account>().WithMany().HasForeignKey(session => session.AccountId).OnDelete(DeleteBehavior.Cascade);
        builder.HasIndex(session => new { session.AccountId, session.CreatedAt });
        builder.HasIndex(session => session.RevokedAt).HasFilter("revoked_at is not null");
        builder.HasIndex(session => session.ExpiresAt);
        builder.Property(session => session.Generation).HasDefaultValue(0L);
        builder.Property(session => session.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        builder.Property(session => session.LastUsedAt).HasDefaultValueSql("clock_timestamp()");
        builder.Property(session => session.RotatedAt).HasDefaultValueSql("clock_timestamp()");
    }
}
