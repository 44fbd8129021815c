using Ariya.Api.Sessions;
using Ariya.Data.Keys;
using Ariya.Data.Tokens;

namespace Ariya.Tests.Units;

public sealed class DerivedTokenTests
{
    private const string Old = "an older secret of 32 characters and more, 0123456789";
    private const string New = "a newer secret of 32 characters and more, 9876543210";

    private static readonly byte[] s_salt = [.. Enumerable.Range(0, 16).Select(value => (byte)value)];
    private static readonly Guid s_message = Guid.CreateVersion7();
    private static readonly Guid s_subject = Guid.CreateVersion7();

    [Fact]
    public void ARetryOfAMailDerivesTheSameLink()
    {
        Assert.Equal(Link(new SecretKeys([New])), Link(new SecretKeys([New])));
        Assert.Equal(OneTimeTokenKeys.TokenLength, Link(new SecretKeys([New]))!.Length);
    }

    [Fact]
    [Trait("Promise", "P12")]
    public void EveryInputChangesTheLink()
    {
        var keys = new OneTimeTokenKeys(new SecretKeys([New]));
        var id = keys.KeyIdFor(null);
        string?[] links =
        [
            keys.Link(id, OneTimeToken.VerifyEmail, s_salt, s_message, s_subject, "a@example.com"),
            keys.Link(id, OneTimeToken.ResetPassword, s_salt, s_message, s_subject, "a@example.com"),
            keys.Link(id, OneTimeToken.VerifyEmail, [.. s_salt.Reverse()], s_message, s_subject, "a@example.com"),
            keys.Link(id, OneTimeToken.VerifyEmail, s_salt, s_subject, s_subject, "a@example.com"),
            keys.Link(id, OneTimeToken.VerifyEmail, s_salt, s_message, s_message, "a@example.com"),
            keys.Link(id, OneTimeToken.VerifyEmail, s_salt, s_message, s_subject, "b@example.com"),
        ];
        Assert.Equal(links.Length, links.Distinct().Count());
    }

    [Fact]
    [Trait("Promise", "P12")]
    public void TenThousandLinksAreTenThousand()
    {
        var keys = new OneTimeTokenKeys(new SecretKeys([New]));
        var id = keys.KeyIdFor(null);
        var links = Enumerable.Range(0, 10_000)
            .Select(_ => keys.Link(id, OneTimeToken.VerifyEmail, s_salt, Guid.CreateVersion7(), s_subject, "a@example.com")!).ToHashSet();
        Assert.Equal(10_000, links.Count);
        Assert.All(links, link => Assert.True(System.Buffers.Text.Base64Url.DecodeFromChars(link).Length >= 16));
    }

    [Fact]
    public void AMailThatIsSentAgainKeepsItsKeyWhileThatIsConfigured()
    {
        var oldId = new SecretKeys([Old]).KeyIds[0];
        Assert.Equal(oldId, new OneTimeTokenKeys(new SecretKeys([New, Old])).KeyIdFor(oldId));
        Assert.NotEqual(oldId, new OneTimeTokenKeys(new SecretKeys([New])).KeyIdFor(oldId));
    }

    [Fact]
    public void ASecretThatIsGoneDerivesNothing()
    {
        var oldId = new SecretKeys([Old]).KeyIds[0];
        var rotated = new OneTimeTokenKeys(new SecretKeys([New, Old]));
        Assert.NotNull(rotated.Link(oldId, OneTimeToken.VerifyEmail, s_salt, s_message, s_subject, "a@example.com"));
        Assert.Null(new OneTimeTokenKeys(new SecretKeys([New])).Link(oldId, OneTimeToken.VerifyEmail, s_salt, s_message, s_subject, "a@example.com"));
    }

    [Fact]
    public void ARefreshTokenCarriesItsSessionGenerationAndNonce()
    {
        var tokens = new RefreshTokens(new SecretKeys([New]));
        var read = tokens.Read(tokens.Create(s_subject, 7, s_salt));
        Assert.NotNull(read);
        Assert.Equal((s_subject, 7), (read.SessionId, read.Generation));
        Assert.Equal(s_salt, read.Nonce);
    }

    [Fact]
    public void ARefreshTokenOfThePreviousSecretIsReadAndOfAStrangersIsNot()
    {
        var token = new RefreshTokens(new SecretKeys([Old])).Create(s_subject, 0, s_salt);
        Assert.NotNull(new RefreshTokens(new SecretKeys([New, Old])).Read(token));
        Assert.Null(new RefreshTokens(new SecretKeys([New])).Read(token));
    }

    [Fact]
    public void NoCharacterOfARefreshTokenCanBeChanged()
    {
        var tokens = new RefreshTokens(new SecretKeys([New]));
        var token = tokens.Create(s_subject, 3, s_salt);
        foreach (var (place, letter) in token.Index())
        {
            var changed = token.Remove(place, 1).Insert(place, letter == '0' ? "1" : "0");
            Assert.Null(tokens.Read(changed));
        }
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("v1...")]
    [InlineData("v1.a.b.c.d")]
    [InlineData("v1.00000000000000000000000000000000.-1.AAAA")]
    public void WhatIsNoRefreshTokenIsNotRead(string? text) => Assert.Null(new RefreshTokens(new SecretKeys([New])).Read(text));

    private static string? Link(SecretKeys secrets)
    {
        var keys = new OneTimeTokenKeys(secrets);
        return keys.Link(keys.KeyIdFor(null), OneTimeToken.VerifyEmail, s_salt, s_message, s_subject, "a@example.com");
    }
}
