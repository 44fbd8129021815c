using Ariya.ServiceDefaults.Settings;
using StackExchange.Redis;

namespace Ariya.Tests.ServiceDefaults;

public sealed class RedisUrlTests
{
    [Theory]
    [InlineData("redis://localhost", "localhost:6379")]
    [InlineData("redis://localhost:6380/", "localhost:6380")]
    [InlineData("redis://:p%40ss@cache:6379/2", "cache:6379,password=p@ss,defaultDatabase=2")]
    [InlineData("rediss://default:pw==@cache.example", "cache.example:6379,password=pw==,ssl=true")]
    [InlineData("redis://ann:hunter2@cache", "cache:6379,user=ann,password=hunter2")]
    [InlineData("redis://127.0.0.1:7000/0", "127.0.0.1:7000,defaultDatabase=0")]
    public void AUrlBecomesAConnectionStringOfTheClient(string url, string expected)
    {
        var connectionString = RedisUrl.ToConnectionString(url);

        Assert.Equal(expected, connectionString);
        var options = ConfigurationOptions.Parse(connectionString);
        Assert.Single(options.EndPoints);
        Assert.Equal(url.StartsWith("rediss", StringComparison.Ordinal), options.Ssl);
    }

    [Theory]
    [InlineData("http://hunter2@cache", "redis:// or rediss://")]
    [InlineData("cache:6379", "redis:// or rediss://")]
    [InlineData("redis://:hunter2@cache/first", "number of a database")]
    [InlineData("redis://:hunter2@cache/0/1", "number of a database")]
    [InlineData("redis://:hunter2@cache?timeout=5", "'timeout'")]
    [InlineData("redis://:hunter2,x@cache", "a comma")]
    [InlineData("redis://:hunter2%20@cache", "a comma")]
    [InlineData("redis://:hunter2/x@cache", "percent-encoded")]
    [InlineData("redis://:hunter2@[::1]:7000", "IPv6")]
    [InlineData("redis://", "one host")]
    public void WhatCannotBeUsedIsNamedWithoutThePassword(string url, string expected) => AssertRefused(url, expected);

    private static void AssertRefused(string url, string expected)
    {
        var error = Assert.Throws<InvalidOperationException>(() => RedisUrl.ToConnectionString(url));

        Assert.StartsWith("REDIS_URL", error.Message, StringComparison.Ordinal);
        Assert.Contains(expected, error.Message, StringComparison.Ordinal);
        Assert.DoesNotContain("hunter2", error.ToString(), StringComparison.Ordinal);
    }
}
