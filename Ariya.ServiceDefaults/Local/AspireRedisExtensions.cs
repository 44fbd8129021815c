using Aspire.StackExchange.Redis;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using StackExchange.Redis;

namespace Microsoft.Extensions.Hosting;

/// <summary>Stands in for the client integration Aspire.StackExchange.Redis.</summary>
public static class AspireRedisExtensions
{
    private const string Section = "Aspire:StackExchange:Redis";
    private const string HealthCheckName = "StackExchange.Redis";

    public static void AddRedisClient(
        this IHostApplicationBuilder builder,
        string connectionName,
        Action<StackExchangeRedisSettings>? configureSettings = null,
        Action<ConfigurationOptions>? configureOptions = null)
    {
        ArgumentNullException.ThrowIfNull(builder);
        ArgumentException.ThrowIfNullOrEmpty(connectionName);

        var section = builder.Configuration.GetSection(Section);
        var named = section.GetSection(connectionName);
        var settings = new StackExchangeRedisSettings();
        section.Bind(settings);
        named.Bind(settings);
        settings.ConnectionString = builder.Configuration.GetConnectionString(connectionName) ?? settings.ConnectionString;
        configureSettings?.Invoke(settings);

        builder.Services.AddSingleton<IConnectionMultiplexer>(_ =>
        {
            var options = Parse(settings.ConnectionString);
            section.GetSection("ConfigurationOptions").Bind(options);
            named.GetSection("ConfigurationOptions").Bind(options);
            configureOptions?.Invoke(options);
            return Connect(options, connectionName);
        });

        if (!settings.DisableHealthChecks)
        {
            builder.TryAddHealthCheck(HealthCheckName, (checks, name) => checks.AddCheck<RedisHealthCheck>(name));
        }
    }

    private static ConfigurationOptions Parse(string? connectionString)
    {
        var options = string.IsNullOrWhiteSpace(connectionString)
            ? new ConfigurationOptions()
            : ConfigurationOptions.Parse(connectionString);
        // Redis may be away when the program starts and come later.
        options.AbortOnConnectFail = false;
        if (connectionString?.Contains("connectTimeout", StringComparison.OrdinalIgnoreCase) != true)
        {
            // The library waits 5 s for a server that does not answer, on the thread that first asks for the client.
            options.ConnectTimeout = 1000;
        }

        return options;
    }

    private static ConnectionMultiplexer Connect(ConfigurationOptions options, string connectionName)
    {
        if (options.EndPoints.Count == 0)
        {
            throw new InvalidOperationException(
                $"No endpoints specified. Ensure a valid connection string was provided in 'ConnectionStrings:{connectionName}' "
                + $"or for the '{Section}:ConnectionString' configuration key.");
        }

        return ConnectionMultiplexer.Connect(options);
    }
}
