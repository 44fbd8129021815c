using System.Diagnostics;
using System.Globalization;
using Ariya.Data.Accounts;

namespace Ariya.Tests.Units;

public sealed class EmailAddressTests
{
    [Theory]
    [Trait("Promise", "P05")]
    [InlineData("ada@example.com", "ada@example.com")]
    [InlineData("Ada.Lovelace@EXAMPLE.com", "ada.lovelace@example.com")]
    [InlineData("ada+tag@example.com", "ada+tag@example.com")]
    [InlineData("a@b.co", "a@b.co")]
    [InlineData("!#$%&'*+-/=?^_`{|}~@example.com", "!#$%&'*+-/=?^_`{|}~@example.com")]
    [InlineData("josé@example.com", "josé@example.com")]
    [InlineData("jose\u0301@example.com", "josé@example.com")]
    [InlineData("ada@BÜCHER.example", "ada@xn--bcher-kva.example")]
    [InlineData("ada@xn--bcher-kva.example", "ada@xn--bcher-kva.example")]
    [InlineData("用户@例え.jp", "用户@xn--r8jz45g.jp")]
    [InlineData("ada@sub.sub.example.com", "ada@sub.sub.example.com")]
    [InlineData("ada@1-2.example", "ada@1-2.example")]
    public void AnAddressHasOneCanonicalForm(string typed, string canonical)
    {
        Assert.True(EmailAddress.TryParse(typed, out var email));
        Assert.Equal(canonical, email.Canonical);
        Assert.True(EmailAddress.TryParse(canonical, out var again));
        Assert.Equal(canonical, again.Canonical);
    }

    [Theory]
    [Trait("Promise", "P05")]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("ada")]
    [InlineData("@example.com")]
    [InlineData("ada@")]
    [InlineData("ada@example")]
    [InlineData("ada@@example.com")]
    [InlineData("ada@ex@ample.com")]
    [InlineData(".ada@example.com")]
    [InlineData("ada.@example.com")]
    [InlineData("a..da@example.com")]
    [InlineData("ada lovelace@example.com")]
    [InlineData("ada@exa mple.com")]
    [InlineData("ada@example.com ")]
    [InlineData("ada@example.com\r\nBcc: x@y.zz")]
    [InlineData("ada@example.com,bob@example.com")]
    [InlineData("<ada@example.com>")]
    [InlineData("\"ada\"@example.com")]
    [InlineData("ada@[127.0.0.1]")]
    [InlineData("ada@127.0.0.1")]
    [InlineData("ada@-example.com")]
    [InlineData("ada@example-.com")]
    [InlineData("ada@example..com")]
    [InlineData("ada@example.com.")]
    [InlineData("ada@exam_ple.com")]
    [InlineData("a\u0000da@example.com")]
    [InlineData("a\u202Eda@example.com")]
    [InlineData("a\uD800da@example.com")]
    [InlineData("a\uFFFEda@example.com")]
    [InlineData("bo\u212A@example.com")]
    public void WhatMailCannotReachIsRefused(string? typed) => Assert.False(EmailAddress.TryParse(typed, out _));

    [Fact]
    [Trait("Promise", "P05")]
    public void LengthIsJudgedInOctets()
    {
        Assert.True(EmailAddress.TryParse(new string('a', 64) + "@example.com", out _));
        Assert.False(EmailAddress.TryParse(new string('a', 65) + "@example.com", out _));
        Assert.False(EmailAddress.TryParse(new string('é', 33) + "@example.com", out _));
        Assert.True(EmailAddress.TryParse($"a@{Domain(252)}", out _));
        Assert.False(EmailAddress.TryParse($"a@{Domain(253)}", out _));
    }

    [Fact]
    [Trait("Promise", "P05")]
    public void AHugeAddressCostsNothing()
    {
        var started = Stopwatch.GetTimestamp();
        Assert.False(EmailAddress.TryParse(new string('a', 100_000) + "@example.com", out _));
        Assert.False(EmailAddress.TryParse("a@" + string.Concat(Enumerable.Repeat("a.", 10_000)) + "com", out _));
        Assert.True(Stopwatch.GetElapsedTime(started) < TimeSpan.FromMilliseconds(50));
    }

    [Fact]
    public void TheLanguageOfTheMachineChangesNoAddress()
    {
        var before = CultureInfo.CurrentCulture;
        try
        {
            // There the small letter of I has no dot.
            CultureInfo.CurrentCulture = CultureInfo.GetCultureInfo("tr-TR");
            Assert.True(EmailAddress.TryParse("IRIS@WILD.EXAMPLE.COM", out var email));
            Assert.Equal("iris@wild.example.com", email.Canonical);
        }
        finally
        {
            CultureInfo.CurrentCulture = before;
        }
    }

    [Fact]
    public void AMaskedAddressTellsNoNames()
    {
        Assert.Equal("a…@e….com", EmailAddress.Mask("ada@example.com"));
        Assert.True(EmailAddress.TryParse("ada@example.com", out var email));
        Assert.Equal("a…@e….com", $"{email}");
    }

    // Labels of 63 letters, so that only the whole is too long.
    private static string Domain(int length)
    {
        var text = string.Concat(Enumerable.Repeat(new string('b', 61) + ".", 5))[..(length - 3)].TrimEnd('.');
        return text.PadRight(length - 3, 'b') + ".co";
    }
}
