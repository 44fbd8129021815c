using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Tokens;

/// <summary>
/// What a mailed link or code may do, once. The token itself is derived when the mail is sent
/// (<see cref="OneTimeTokenKeys"/>); only its SHA-256 is here.
/// </summary>
public sealed class OneTimeToken
{
    /// <summary>Proves the mailbox of a registration, the subject.</summary>
    public const string VerifyEmail = "verify_email";

    /// <summary>Sets a new password for an account, the subject.</summary>
    public const string ResetPassword = "reset_password";

    /// <summary>Confirms a change of address, the subject, from the new mailbox.</summary>
    public const string ChangeEmail = "change_email";

    /// <summary>Undoes a change of address, the subject, from the old mailbox.</summary>
    public const string UndoEmailChange = "undo_email_change";

    /// <summary>The outbox row whose mail carries the token: one mail, one token, however often it is sent.</summary>
    public required Guid MessageId { get; init; }

    public required string Purpose { get; init; }
    public required Guid SubjectId { get; init; }

    /// <summary>The canonical address the mail went to.</summary>
    public required string Address { get; init; }

    public required byte[] TokenHash { get; init; }

    /// <summary>The outbox row's salt, an input of the derivation, so that a code can be derived again when it is typed.</summary>
    public required byte[] Salt { get; init; }

    /// <summary>Which secret derived the token.</summary>
    public required string KeyId { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; set; }
    public DateTimeOffset? ConsumedAt { get; set; }

    /// <summary>Codes typed for this mail; five end the code, not the link.</summary>
    public int CodeAttempts { get; set; }
    public DateTimeOffset? CodeExpiresAt { get; set; }
}

internal sealed class OneTimeTokenConfiguration : IEntityTypeConfiguration<OneTimeToken>
{
    public void Configure(EntityTypeBuilder<OneTimeToken> builder)
    {
        builder.HasKey(token => token.MessageId);
        builder.HasIndex(token => token.TokenHash).IsUnique();
        builder.HasIndex(token => new { token.Purpose, token.Address, token.CreatedAt });
        builder.HasIndex(token => token.SubjectId);
        builder.HasIndex(token => token.ExpiresAt);
        builder.Property(token => token.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        builder.Property(token => token.CodeAttempts).HasDefaultValue(0);
    }
}
