using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using Npgsql;
using StackExchange.Redis;

namespace Ariya.Tests.ServiceDefaults;

public sealed class ClientExtensionTests
{
    private const string Section = "Aspire:Npgsql";

    [Fact]
    public void SettingsAreReadFromTheGeneralToTheSpecificSection()
    {
        var builder = Builder(
            ($"{Section}:ConnectionString", "Host=general"), ($"{Section}:ariyadb:ConnectionString", "Host=specific"), ($"{Section}:DisableHealthChecks", "true"));
        builder.AddNpgsqlDataSource("ariyadb");

        using var host = builder.Build();

        Assert.Equal("Host=specific", host.Services.GetRequiredService<NpgsqlDataSource>().ConnectionString);
        Assert.Empty(host.Services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations);
    }

    [Fact]
    public void TheConnectionStringWinsOverTheSectionAndTheDelegatesOverBoth()
    {
        var builder = Builder(("ConnectionStrings:ariyadb", "Host=named"), ($"{Section}:ConnectionString", "Host=general"));
        builder.AddNpgsqlDataSource("ariyadb", settings => settings.ConnectionString += ";Database=x", source => source.ConnectionStringBuilder.Port = 5433);

        using var host = builder.Build();

        Assert.Equal("Host=named;Database=x;Port=5433", host.Services.GetRequiredService<NpgsqlDataSource>().ConnectionString);
    }

    [Fact]
    public void AMissingConnectionStringIsAnErrorWhenTheClientIsAskedFor()
    {
        var builder = Builder();
        builder.AddNpgsqlDataSource("ariyadb");
        builder.AddRedisClient("cache");
        using var host = builder.Build();

        var database = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<NpgsqlDataSource>());
        var redis = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());

        Assert.StartsWith("ConnectionString is missing. It should be provided in 'ConnectionStrings:ariyadb' or under the "
            + $"'ConnectionString' key in '{Section}' or '{Section}:ariyadb'", database.Message, StringComparison.Ordinal);
        Assert.StartsWith("No endpoints specified. Ensure a valid connection string was provided in 'ConnectionStrings:cache'",
            redis.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HealthChecksHaveAspiresNamesAreAddedOnceAndCanBeLeftOut()
    {
        var builder = Builder();
        builder.AddNpgsqlDataSource("ariyadb");
        builder.AddNpgsqlDataSource("ariyadb");
        builder.AddRedisClient("cache");
        builder.AddRedisClient("cache");

        using var host = builder.Build();
        var checks = host.Services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations;

        Assert.Equal(["PostgreSql", "StackExchange.Redis"], checks.Select(check => check.Name));
    }

    [Fact]
    public void RedisThatIsAwayIsAClientThatIsNotConnectedYet()
    {
        const string Redis = "Aspire:StackExchange:Redis";
        var builder = Builder(
            ($"{Redis}:ConnectionString", $"127.0.0.1:{WebHost.ClosedPort()}"), ($"{Redis}:ConfigurationOptions:ClientName", "general"),
            ($"{Redis}:cache:ConfigurationOptions:ClientName", "named"));
        ConfigurationOptions? seen = null;
        builder.AddRedisClient("cache", configureOptions: options => seen = options);

        using var host = builder.Build();
        var redis = host.Services.GetRequiredService<IConnectionMultiplexer>();

        Assert.False(redis.IsConnected);
        Assert.Equal("named", seen?.ClientName);
        Assert.False(seen?.AbortOnConnectFail);
    }

    private static HostApplicationBuilder Builder(params (string Key, string Value)[] values)
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { DisableDefaults = true });
        builder.Configuration.AddInMemoryCollection(values.ToDictionary(value => value.Key, value => (string?)value.Value));
        return builder;
    }
}
