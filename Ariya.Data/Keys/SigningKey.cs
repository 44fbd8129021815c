using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Keys;

/// <summary>A key that signs access tokens (ES256), its private half sealed with a key from JWT_SECRET.</summary>
public sealed class SigningKey
{
    /// <summary>The RFC 7638 thumbprint of the public key.</summary>
    public required string Kid { get; init; }

    public required string Algorithm { get; init; }

    /// <summary>The public point, base64url.</summary>
    public required string X { get; init; }
    public required string Y { get; init; }

    /// <summary>Nonce, ciphertext and tag of the private key (AES-256-GCM).</summary>
    public required byte[] SealedPrivateKey { get; set; }

    /// <summary>Salt of the sealing key's PBKDF2.</summary>
    public required byte[] SealSalt { get; set; }

    /// <summary>The key signs from here on; verifiers have had time to read it.</summary>
    public required DateTimeOffset SignsFrom { get; init; }

    /// <summary>The key signs until here; it stays published until its last token is dead.</summary>
    public DateTimeOffset? RetiredAt { get; set; }

    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>HMAC over the row under a key from JWT_SECRET: a row that somebody else wrote is not used.</summary>
    public required byte[] RowMac { get; set; }
}

internal sealed class SigningKeyConfiguration : IEntityTypeConfiguration<SigningKey>
{
    public void Configure(EntityTypeBuilder<SigningKey> builder)
    {
        builder.HasKey(key => key.Kid);
        builder.Property(key => key.CreatedAt).HasDefaultValueSql("now()");
    }
}
