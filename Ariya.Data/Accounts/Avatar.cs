using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Accounts;

/// <summary>The picture of an account, as it was kept: without metadata.</summary>
public sealed class Avatar
{
    public required Guid AccountId { get; init; }
    public required string ContentType { get; set; }
    public required byte[] Picture { get; set; }

    /// <summary>SHA-256 of the picture: its ETag.</summary>
    public required byte[] Hash { get; set; }

    public DateTimeOffset UpdatedAt { get; set; }
}

internal sealed class AvatarConfiguration : IEntityTypeConfiguration<Avatar>
{
    public void Configure(EntityTypeBuilder<Avatar> builder)
    {
        builder.HasKey(avatar => avatar.AccountId);
        builder.HasOne<Account>().WithOne().HasForeignKey<Avatar>(avatar => avatar.AccountId).OnDelete(DeleteBehavior.Cascade);
        builder.Property(avatar => avatar.UpdatedAt).HasDefaultValueSql("clock_timestamp()");
    }
}
