using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Registrations;

/// <summary>
/// One request to register, for free and taken addresses alike. It becomes an account when the mailbox is proven with a
/// link or code of its own mail, and never otherwise.
/// </summary>
public sealed class Registration
{
    public required Guid Id { get; init; }
    public required string Email { get; init; }
    public required string EmailCanonical { get; init; }
    public required string PasswordHash { get; init; }
    public required string FirstName { get; init; }
    public required string LastName { get; init; }
    public string? VendorBusinessName { get; init; }
    public string? VendorCategory { get; init; }

    /// <summary>HMAC of the whole request under a key outside the database: equal requests are one registration.</summary>
    public required byte[] Fingerprint { get; init; }

    /// <summary>The network prefix the request came from; the mail names it.</summary>
    public required string Network { get; init; }

    public required string UserAgent { get; init; }
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>When a mail was last asked for by registering (again).</summary>
    public DateTimeOffset RequestedAt { get; init; }

    public DateTimeOffset ExpiresAt { get; init; }
}

internal sealed class RegistrationConfiguration : IEntityTypeConfiguration<Registration>
{
    public void Configure(EntityTypeBuilder<Registration> builder)
    {
        builder.HasIndex(registration => registration.Fingerprint).IsUnique();
        builder.HasIndex(registration => new { registration.EmailCanonical, registration.RequestedAt });
        builder.HasIndex(registration => registration.ExpiresAt);
        builder.Property(registration => registration.CreatedAt).HasDefaultValueSql("now()");
        builder.Property(registration => registration.RequestedAt).HasDefaultValueSql("now()");
    }
}
