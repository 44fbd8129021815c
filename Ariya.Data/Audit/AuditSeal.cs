using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Audit;

/// <summary>
/// A link of the chain over the audit: covers the events after the one of the seal before, up to its own last, in order of time and id.
/// Whoever changes, adds or removes an event of a sealed span without JWT_SECRET cannot make the chain fit again.
/// </summary>
public sealed class AuditSeal
{
    /// <summary>From 1, without gaps.</summary>
    public required long Number { get; init; }

    public required DateTimeOffset LastAt { get; init; }
    public required Guid LastId { get; init; }
    public required int Events { get; init; }

    /// <summary>SHA-256 over the seal before, this seal's span and its events.</summary>
    public required byte[] Hash { get; init; }

    /// <summary>HMAC over the hash under a key from JWT_SECRET.</summary>
    public required byte[] Mac { get; init; }

    /// <summary>Which secret made the HMAC.</summary>
    public required string KeyId { get; init; }

    public DateTimeOffset SealedAt { get; init; }

    /// <summary>Its events are past their retention and gone; the chain starts behind it.</summary>
    public bool IsPruned { get; set; }
}

internal sealed class AuditSealConfiguration : IEntityTypeConfiguration<AuditSeal>
{
    public void Configure(EntityTypeBuilder<AuditSeal> builder)
    {
        builder.HasKey(seal => seal.Number);
        builder.Property(seal => seal.Number).ValueGeneratedNever();
        builder.Property(seal => seal.SealedAt).HasDefaultValueSql("clock_timestamp()");
        builder.Property(seal => seal.IsPruned).HasDefaultValue(false);
        builder.HasIndex(seal => seal.LastAt);
    }
}
