using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Ariya.Tests.ServiceDefaults;

public sealed class ClientExtensionTests
{
    private const string Npgsql = "Aspire:Npgsql:EntityFrameworkCore:PostgreSQL";

    [Fact]
    public void SettingsAreReadFromTheGeneralToTheSpecificSection()
    {
        var builder = Builder(
            ($"{Npgsql}:ConnectionString", "Host=general"), ($"{Npgsql}:CommandTimeout", "11"),
            ($"{Npgsql}:ariyadb:CommandTimeout", "12"), ($"{Npgsql}:SomeContext:CommandTimeout", "13"),
            ($"{Npgsql}:ariyadb:DisableRetry", "true"));
        int? seen = null;
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb", settings => seen = settings.CommandTimeout);

        using var host = builder.Build();
        using var scope = host.Services.CreateScope();
        var database = scope.ServiceProvider.GetRequiredService<SomeContext>().Database;

        Assert.Equal(13, seen);
        Assert.Equal(13, database.GetCommandTimeout());
        Assert.Equal("Host=general", database.GetConnectionString());
        Assert.False(database.CreateExecutionStrategy().RetriesOnFailure);
    }

    [Fact]
    public void TheConnectionStringWinsOverTheSectionAndTheDelegatesOverBoth()
    {
        var builder = Builder(("ConnectionStrings:ariyadb", "Host=named"), ($"{Npgsql}:ConnectionString", "Host=general"));
        var options = false;
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb",
            settings => settings.ConnectionString += ";Database=x",
            _ => options = true);

        using var host = builder.Build();
        using var scope = host.Services.CreateScope();
        var database = scope.ServiceProvider.GetRequiredService<SomeContext>().Database;

        Assert.Equal("Host=named;Database=x", database.GetConnectionString());
        Assert.True(database.CreateExecutionStrategy().RetriesOnFailure);
        Assert.True(options);
    }

    [Fact]
    public void AMissingConnectionStringIsAnErrorWhenTheClientIsAskedFor()
    {
        var builder = Builder();
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb");
        builder.AddRedisClient("cache");
        using var host = builder.Build();
        using var scope = host.Services.CreateScope();

        var database = Assert.Throws<InvalidOperationException>(() => scope.ServiceProvider.GetRequiredService<SomeContext>());
        var redis = Assert.Throws<InvalidOperationException>(() => host.Services.GetRequiredService<IConnectionMultiplexer>());

        Assert.StartsWith("ConnectionString is missing. It should be provided in 'ConnectionStrings:ariyadb' or under the "
            + $"'ConnectionString' key in '{Npgsql}' or '{Npgsql}:SomeContext'", database.Message, StringComparison.Ordinal);
        Assert.StartsWith("No endpoints specified. Ensure a valid connection string was provided in 'ConnectionStrings:cache'",
            redis.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void HealthChecksHaveAspiresNamesAreAddedOnceAndCanBeLeftOut()
    {
        var builder = Builder();
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb");
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb");
        builder.AddNpgsqlDbContext<OtherContext>("ariyadb", settings => settings.DisableHealthChecks = true);
        builder.AddRedisClient("cache");
        builder.AddRedisClient("cache");

        using var host = builder.Build();
        var checks = host.Services.GetRequiredService<IOptions<HealthCheckServiceOptions>>().Value.Registrations;

        Assert.Equal(["SomeContext", "StackExchange.Redis"], checks.Select(check => check.Name));
    }

    [Fact]
    public void InDevelopmentAContextThatIsAlreadyThereIsAnError()
    {
        var builder = new HostApplicationBuilder(new HostApplicationBuilderSettings { EnvironmentName = Environments.Development });
        builder.AddNpgsqlDbContext<SomeContext>("ariyadb");

        Assert.Throws<InvalidOperationException>(() => builder.AddNpgsqlDbContext<SomeContext>("ariyadb"));
    }

    [Fact]
    public void RedisThatIsAwayIsAClientThatIsNotConnectedYet()
    {
        const string Section = "Aspire:StackExchange:Redis";
        var builder = Builder(
            ($"{Section}:ConnectionString", $"127.0.0.1:{WebHost.ClosedPort()}"), ($"{Section}:ConfigurationOptions:ClientName", "general"),
            ($"{Section}:cache:ConfigurationOptions:ClientName", "named"));
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

    private sealed class SomeContext(DbContextOptions<SomeContext> options) : DbContext(options);

    private sealed class OtherContext(DbContextOptions<OtherContext> options) : DbContext(options);
}
