using System.Globalization;
using Ariya.Data.Passwords;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Units;

public sealed class PasswordHashTests
{
    public static TheoryData<string> Algorithms => [.. new[] { PasswordHash.Argon2id, PasswordHash.Pbkdf2 }.Where(PasswordHash.CanCompute)];

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void AHashKnowsItsPasswordAndNoOther(string algorithm)
    {
        var stored = PasswordHash.Create(algorithm, "correct horse battery staple");
        Assert.StartsWith($"${algorithm}$", stored, StringComparison.Ordinal);
        Assert.True(PasswordHash.Verify(stored, "correct horse battery staple"));
        Assert.False(PasswordHash.Verify(stored, "correct horse battery stapl"));
        Assert.False(PasswordHash.Verify(stored, ""));
        Assert.NotEqual(stored, PasswordHash.Create(algorithm, "correct horse battery staple"));
        Assert.False(PasswordHash.NeedsRehash(stored, algorithm));
    }

    [Theory]
    [Trait("Promise", "P21")]
    [MemberData(nameof(Algorithms))]
    public void EveryCharacterCountsBeyondSeventyTwoBytes(string algorithm)
    {
        var common = new string('x', 72);
        Assert.False(PasswordHash.Verify(PasswordHash.Create(algorithm, common + "12345678"), common + "87654321"));
    }

    [Theory]
    [MemberData(nameof(Algorithms))]
    public void OneKeyboardsAccentIsAnothers(string algorithm) =>
        Assert.True(PasswordHash.Verify(PasswordHash.Create(algorithm, "caf\u00E9 au lait noir"), "cafe\u0301 au lait noir"));

    [Fact]
    [Trait("Promise", "P29")]
    public void WeakerParametersAndOtherAlgorithmsAreRehashed()
    {
        var salt = Convert.ToBase64String(new byte[16]).TrimEnd('=');
        var hash = Convert.ToBase64String(new byte[32]).TrimEnd('=');
        Assert.True(PasswordHash.NeedsRehash($"$pbkdf2-sha512$i=100000${salt}${hash}", PasswordHash.Pbkdf2));
        Assert.True(PasswordHash.NeedsRehash($"$argon2id$v=19$m=19456,t=1,p=1${salt}${hash}", PasswordHash.Argon2id));
        Assert.True(PasswordHash.NeedsRehash($"$pbkdf2-sha512$i=220000${salt}${hash}", PasswordHash.Argon2id));
        Assert.False(PasswordHash.NeedsRehash($"$argon2id$v=19$m=65536,t=3,p=1${salt}${hash}", PasswordHash.Argon2id));
    }

    [Theory]
    [InlineData("")]
    [InlineData("plain")]
    [InlineData("$argon2id$v=19$m=4294967295,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    [InlineData("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$")]
    [InlineData("$pbkdf2-sha512$i=999999999$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4")]
    public void AStoredTextThatIsNoHashIsAnErrorAndNoWrongPassword(string stored) =>
        Assert.Throws<FormatException>(() => PasswordHash.Verify(stored, "password"));

    [Fact]
    public async Task MemoryOfHashesIsGivenBackAndGoodAgain()
    {
        if (!PasswordHash.CanCompute(PasswordHash.Argon2id))
        {
            return;
        }

        const int MiB = 512;
        var once = Argon2.Hash("password"u8, "somesalt"u8, MiB * 1024, 1, 1);
        var held = Megabytes();
        // Other tests use memory meanwhile, less than half of that.
        await Wait.UntilAsync("its memory to be given back", TimeSpan.FromSeconds(30), () => Task.FromResult(held - Megabytes() > MiB / 2 ? "given back" : null));
        Assert.Equal(once, Argon2.Hash("password"u8, "somesalt"u8, MiB * 1024, 1, 1));

        // The second number of statm: pages in memory.
        static double Megabytes() =>
            long.Parse(File.ReadAllText("/proc/self/statm").Split(' ')[1], CultureInfo.InvariantCulture) * Environment.SystemPageSize / 1024.0 / 1024.0;
    }

    [Fact]
    public void Argon2idAgreesWithThePublishedVector()
    {
        if (PasswordHash.CanCompute(PasswordHash.Argon2id))
        {
            Assert.True(PasswordHash.Verify("$argon2id$v=19$m=256,t=2,p=1$c29tZXNhbHQ$nf65EOgLrQMR/uIPnA4rEsF5h7TKyQwu9U1bMCHGi/4", "password"));
        }
    }
}
