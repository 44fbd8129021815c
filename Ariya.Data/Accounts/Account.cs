using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Accounts;

/// <summary>A person whose mailbox is proven. No row exists before that.</summary>
public sealed class Account
{
    public const string Active = "active";
    public const string Disabled = "disabled";

    /// <summary>By its owner: nobody signs in, and the row goes when its time is over.</summary>
    public const string Deleted = "deleted";

    /// <summary>The role of operators. Given by <c>grant-admin</c> of the worker, and in no other way.</summary>
    public const string AdminRole = "admin";

    public required Guid Id { get; init; }

    /// <summary>The address as typed: where mail goes.</summary>
    public required string Email { get; set; }

    /// <summary>
    /// <see cref="EmailAddress.Canonical"/>; unique. Of a deleted account <c>deleted:</c>, its id and what it was: no address, so that
    /// the address is free.
    /// </summary>
    public required string EmailCanonical { get; set; }

    public required string FirstName { get; set; }
    public required string LastName { get; set; }

    /// <summary>A PHC string: algorithm, parameters, salt and hash.</summary>
    public required string PasswordHash { get; set; }

    public List<string> Roles { get; set; } = [];
    public string Status { get; set; } = Active;
    public string? Locale { get; set; }

    /// <summary>Raised when the password, the status or the roles change: sessions of an older epoch are dead.</summary>
    public int AuthEpoch { get; set; } = 1;

    /// <summary>Raised by changes of the profile only: the ETag.</summary>
    public int Version { get; set; } = 1;

    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset VerifiedAt { get; init; }
    public DateTimeOffset PasswordChangedAt { get; set; }

    /// <summary>Raised by every change of the row, so that instances drop what they hold of it.</summary>
    public DateTimeOffset UpdatedAt { get; set; }

    public DateTimeOffset? DeletedAt { get; set; }

    /// <summary>When, and with which mail, the owner was last told that somebody registered this address again.</summary>
    public DateTimeOffset? TakenNoticeAt { get; set; }
    public Guid? TakenNoticeMessageId { get; set; }
}

/// <summary>The business side of an account that registered as a vendor.</summary>
public sealed class Vendor
{
    public required Guid AccountId { get; init; }
    public required string BusinessName { get; set; }
    public required string Category { get; set; }
    public DateTimeOffset CreatedAt { get; init; }
}

internal sealed class AccountConfiguration : IEntityTypeConfiguration<Account>
{
    public void Configure(EntityTypeBuilder<Account> builder)
    {
        builder.HasIndex(account => account.EmailCanonical).IsUnique();
        // Bytes have one order, whatever language the database was made for: addresses are found by how they begin.
        builder.HasIndex(account => account.EmailCanonical, "IX_accounts_email_prefix").UseCollation("C");
        builder.HasIndex(account => account.Id, "IX_accounts_not_active").HasFilter("status <> 'active'");
        builder.Property(account => account.Status).HasDefaultValue(Account.Active);
        builder.Property(account => account.Roles).HasDefaultValueSql("'{}'");
        builder.Property(account => account.AuthEpoch).HasDefaultValue(1);
        builder.Property(account => account.Version).HasDefaultValue(1);
        builder.Property(account => account.CreatedAt).HasDefaultValueSql("now()");
        builder.Property(account => account.VerifiedAt).HasDefaultValueSql("now()");
        builder.Property(account => account.PasswordChangedAt).HasDefaultValueSql("now()");
        builder.Property(account => account.UpdatedAt).HasDefaultValueSql("clock_timestamp()");
        builder.HasIndex(account => account.UpdatedAt);
        builder.HasIndex(account => account.DeletedAt).HasFilter("deleted_at is not null");
        builder.ToTable(table => table.HasCheckConstraint("ck_accounts_status", "status in ('active', 'disabled', 'deleted')"));
    }
}

internal sealed class VendorConfiguration : IEntityTypeConfiguration<Vendor>
{
    public void Configure(EntityTypeBuilder<Vendor> builder)
    {
        builder.HasKey(vendor => vendor.AccountId);
        builder.HasOne<Account>().WithOne().HasForeignKey<Vendor>(vendor => vendor.AccountId).OnDelete(DeleteBehavior.Cascade);
        builder.Property(vendor => vendor.CreatedAt).HasDefaultValueSql("now()");
    }
}
