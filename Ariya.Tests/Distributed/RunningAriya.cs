using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Npgsql;

namespace Ariya.Tests.Distributed;

/// <summary>
/// The whole application, started once from its application model on random ports and fresh data, and a second API instance
/// beside the first. Tests share it: each uses addresses of its own.
/// </summary>
public sealed class RunningAriya : IAsyncLifetime
{
    /// <summary>Covers the first run's installation of the servers.</summary>
    public static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(8);

    private DistributedApplication? _app;

    public DistributedApplication App => _app!;
    public SpanCollector Collector { get; } = new();

    /// <summary>A client without cookies or redirects of its own, so that tests see each answer.</summary>
    public HttpClient Api { get; private set; } = null!;

    /// <summary>Another instance of the API on the same database.</summary>
    public HttpClient OtherApi { get; private set; } = null!;

    public HttpClient MailDev { get; private set; } = null!;

    /// <summary>The application's database, as its owner: to move rows in time and to look.</summary>
    public NpgsqlDataSource Database { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        using var timeout = new CancellationTokenSource(StartTimeout);
        await Collector.StartAsync();
        var appHost = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(["UseVolumes=false"], timeout.Token);
        AddSecondApi(appHost);
        foreach (var project in new[] { "api", "api2", "worker" })
        {
            appHost.CreateResourceBuilder<ProjectResource>(project)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", Collector.Url)
                .WithEnvironment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
                .WithEnvironment("OTEL_BSP_SCHEDULE_DELAY", "100")
                // Lets a test name the network it calls from.
                .WithEnvironment("Proxies__Networks", "127.0.0.0/8,::1/128")
                // A busy machine is not a Redis that is away.
                .WithEnvironment("Redis__Patience", "00:00:05")
                .WithEnvironment("Requests__Timeout", "00:01:00")
                .WithEnvironment("Outbox__PollInterval", "00:00:00.050");
            // They all call from one machine; those about limits say whom they come from and which limits there are.
            foreach (var limit in new[] { "Auth", "AuthTotal", "Network", "NetworkDay", "Mail", "Address", "Refresh", "Api", "Upload", "Admin" })
            {
                appHost.CreateResourceBuilder<ProjectResource>(project).WithEnvironment($"RateLimits__{limit}Permits", "100000");
            }
        }

        _app = await appHost.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        foreach (var resource in new[] { "api", "api2", "worker", "maildev" })
        {
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(resource, timeout.Token);
        }

        Api = _app.CreateHttpClient("api");
        OtherApi = _app.CreateHttpClient("api2");
        MailDev = _app.CreateHttpClient("maildev");
        Database = NpgsqlDataSource.Create((await _app.GetConnectionStringAsync("ariyadb"))!);
    }

    public async Task DisposeAsync()
    {
        Api?.Dispose();
        OtherApi?.Dispose();
        MailDev?.Dispose();
        if (Database is not null)
        {
            await Database.DisposeAsync();
        }

        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        await Collector.DisposeAsync();
    }

    /// <summary>Runs a statement; the number of rows it touched.</summary>
    public async Task<int> SqlAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteNonQueryAsync();
    }

    /// <summary>The first column of the first row, or a default value.</summary>
    public async Task<T?> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = Database.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return command;
    }

    private static void AddSecondApi(IDistributedApplicationTestingBuilder appHost)
    {
        var database = appHost.CreateResourceBuilder<PostgresDatabaseResource>("ariyadb");
        var cache = appHost.CreateResourceBuilder<RedisResource>("cache");
        var first = appHost.CreateResourceBuilder<ProjectResource>("api");
        appHost.AddProject<Projects.Ariya_Api>("api2")
            .WithHttpHealthCheck("/health")
            .WithReference(database)
            .WithReference(cache)
            .WithEnvironment("JWT_SECRET", appHost.CreateResourceBuilder<ParameterResource>("jwt-secret"))
            .WithEnvironment("JWT_REFRESH_SECRET", appHost.CreateResourceBuilder<ParameterResource>("jwt-refresh-secret"))
            .WithEnvironment("APP_URL", first.GetEndpoint("http"))
            .WaitForCompletion(appHost.CreateResourceBuilder<ProjectResource>("migrations"));
    }
}

[CollectionDefinition(Name)]
public sealed class RunningAriyaTests : ICollectionFixture<RunningAriya>
{
    public const string Name = "The running application";
}
