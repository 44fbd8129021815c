using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data;

/// <summary>A choice of this deployment that every process must share, recorded by <c>migrate</c>.</summary>
public sealed class DeploymentSetting
{
    /// <summary>The algorithm of new password hashes: <c>argon2id</c> or <c>pbkdf2-sha512</c>.</summary>
    public const string PasswordAlgorithm = "password_algorithm";

    public required string Name { get; init; }
    public required string Value { get; set; }
}

internal sealed class DeploymentSettingConfiguration : IEntityTypeConfiguration<DeploymentSetting>
{
    public void Configure(EntityTypeBuilder<DeploymentSetting> builder) => builder.HasKey(setting => setting.Name);
}
