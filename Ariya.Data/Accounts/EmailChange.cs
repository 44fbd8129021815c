using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Accounts;

/// <summary>
/// One change of an account's address: asked for, confirmed from the new mailbox, and for seven days undone from the old one. What can be
/// done with it next can be done until <see cref="ExpiresAt"/>.
/// </summary>
public sealed class EmailChange
{
    public required Guid Id { get; init; }
    public required Guid AccountId { get; init; }

    /// <summary>The account's epoch when it was asked for: a new password, or another address meanwhile, ends it.</summary>
    public required int AuthEpoch { get; init; }

    public required string OldEmail { get; init; }
    public required string OldEmailCanonical { get; init; }
    public required string NewEmail { get; init; }
    public required string NewEmailCanonical { get; init; }

    /// <summary>The network prefix and the program of whoever asked; the mails name them.</summary>
    public required string Network { get; init; }

    public required string UserAgent { get; init; }
    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset ExpiresAt { get; set; }
    public DateTimeOffset? ConfirmedAt { get; set; }
    public DateTimeOffset? UndoneAt { get; set; }
}

internal sealed class EmailChangeConfiguration : IEntityTypeConfiguration<EmailChange>
{
    public void Configure(EntityTypeBuilder<EmailChange> builder)
    {
        builder.HasOne<Account>().WithMany().HasForeignKey(change => change.AccountId).OnDelete(DeleteBehavior.Cascade);
        builder.HasIndex(change => change.AccountId);
        builder.HasIndex(change => new { change.NewEmailCanonical, change.CreatedAt });
        builder.HasIndex(change => change.ExpiresAt);
        builder.Property(change => change.CreatedAt).HasDefaultValueSql("clock_timestamp()");
    }
}
