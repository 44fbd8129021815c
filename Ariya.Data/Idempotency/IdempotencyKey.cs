using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Idempotency;

/// <summary>The answer of a request that carried an Idempotency-Key, written in the transaction of its effect.</summary>
public sealed class IdempotencyKey
{
    /// <summary>How long a repeat gets the same answer.</summary>
    public static readonly TimeSpan Lifetime = TimeSpan.FromHours(24);

    /// <summary>HMAC of route, caller and key.</summary>
    public required byte[] Id { get; init; }

    /// <summary>HMAC of the body, which may hold a password, under a key outside the database.</summary>
    public required byte[] Fingerprint { get; init; }

    public required int Status { get; init; }
    public string? ContentType { get; init; }
    public string? ETag { get; init; }
    public required byte[] Body { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
}

internal sealed class IdempotencyKeyConfiguration : IEntityTypeConfiguration<IdempotencyKey>
{
    public void Configure(EntityTypeBuilder<IdempotencyKey> builder)
    {
        builder.HasKey(key => key.Id);
        builder.Property(key => key.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        // Clean-up goes by age.
        builder.HasIndex(key => key.CreatedAt);
    }
}
