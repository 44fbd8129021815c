using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Accounts;

/// <summary>
/// Wrong passwords in a row for an address, whether or not an account has it: a wrong password of a known and of an
/// unknown address is the same write.
/// </summary>
public sealed class SignInFailure
{
    /// <summary>HMAC of the canonical address, and of the network too where that network has its own counter.</summary>
    public required byte[] Key { get; init; }

    /// <summary>HMAC of the canonical address alone: a completed reset ends all counters of the address.</summary>
    public required byte[] AddressKey { get; init; }

    public int Failures { get; set; }
    public DateTimeOffset? DelayedUntil { get; set; }
    public DateTimeOffset LastFailedAt { get; set; }
}

internal sealed class SignInFailureConfiguration : IEntityTypeConfiguration<SignInFailure>
{
    public void Configure(EntityTypeBuilder<SignInFailure> builder)
    {
        builder.HasKey(failure => failure.Key);
        builder.HasIndex(failure => failure.AddressKey);
        builder.HasIndex(failure => failure.LastFailedAt);
    }
}
