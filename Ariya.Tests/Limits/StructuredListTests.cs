namespace Ariya.Tests.Limits;

/// <summary>What the headers of limits are read with refuses what is no structured field.</summary>
public sealed class StructuredListTests
{
    [Fact]
    public void AListOfItemsWithParametersIsReadWhole()
    {
        var items = StructuredList.Parse("\"a b\";q=5;w=900 ,\ttoken; flag;d=-1.25, -7, ?0, \"\\\"\\\\\"");
        Assert.Equal(["a b", new StructuredToken("token"), -7L, false, "\"\\"], items.Select(item => item.Value));
        Assert.Equal((5L, 900L), (items[0].Parameters["q"], items[0].Parameters["w"]));
        Assert.Equal((true, -1.25m), (items[1].Parameters["flag"], items[1].Parameters["d"]));
        Assert.Empty(StructuredList.Parse(""));
    }

    [Theory]
    [InlineData("\"a\";q=5,")]
    [InlineData("\"a\" \"b\"")]
    [InlineData("\"a\";q=")]
    [InlineData("\"a\";q =5")]
    [InlineData("\"a\";q= 5")]
    [InlineData("\"a\" ;q=5")]
    [InlineData("\"a\";Q=5")]
    [InlineData("\"a\";q=5;q=6")]
    [InlineData("\"a\";q=5s")]
    [InlineData("\"a\";q=1234567890123456")]
    [InlineData("\"a\";q=1.")]
    [InlineData("\"a\";q=1.2345")]
    [InlineData("\"a\";q=--1")]
    [InlineData("\"a")]
    [InlineData("\"a\\n\"")]
    [InlineData("\"ä\"")]
    [InlineData("'a'")]
    [InlineData("?2")]
    [InlineData("(a b)")]
    [InlineData("@1659578233")]
    [InlineData("a;;b")]
    public void WhatIsNoneIsRefused(string text) => Assert.Throws<FormatException>(() => StructuredList.Parse(text));
}
