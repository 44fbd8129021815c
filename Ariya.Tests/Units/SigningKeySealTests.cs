using Ariya.Data.Keys;

namespace Ariya.Tests.Units;

public sealed class SigningKeySealTests
{
    private const string Secret = "a secret of 32 characters and more, 0123456789";
    private static readonly DateTimeOffset s_now = new(2026, 1, 2, 3, 4, 5, TimeSpan.Zero);

    [Fact]
    public void ASealedKeyOpensWithItsSecretAlsoAsThePreviousOne()
    {
        var row = SigningKeySeal.Create(new SecretKeys([Secret]), s_now);
        using var opened = SigningKeySeal.Open(row, new SecretKeys(["another secret of 32 characters and more, 98765", Secret]));
        Assert.NotNull(opened);
        Assert.Equal(row.X, Convert.ToBase64String(opened.ExportParameters(false).Q.X!).TrimEnd('=').Replace('+', '-').Replace('/', '_'));
    }

    [Fact]
    public void AnotherSecretOpensNothing() =>
        Assert.Null(SigningKeySeal.Open(SigningKeySeal.Create(new SecretKeys([Secret]), s_now), new SecretKeys(["another secret of 32 characters and more, 98765"])));

    [Fact]
    public void ARowThatSomebodyElseWroteIsNotUsed()
    {
        var secrets = new SecretKeys([Secret]);
        var row = SigningKeySeal.Create(secrets, s_now);
        row.RetiredAt = s_now.AddYears(10);
        Assert.Null(SigningKeySeal.Open(row, secrets));

        var damaged = SigningKeySeal.Create(secrets, s_now);
        damaged.SealedPrivateKey[20] ^= 1;
        Assert.Null(SigningKeySeal.Open(damaged, secrets));
    }
}
