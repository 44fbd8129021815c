using Ariya.Chaos;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Ariya.Benchmarks.Ground;

/// <summary>
/// PostgreSQL and Redis of the application's own model, with the schema in a database that others are copied from. What is committed is on the disk, as with
/// everybody who keeps their data: asynchronous commits would flatter whoever commits more often.
/// </summary>
internal sealed class Servers : IAsyncDisposable
{
    private const string Template = "ariyadb";
    private static readonly TimeSpan s_install = TimeSpan.FromMinutes(8);

    private readonly DirectoryInfo _data = Directory.CreateTempSubdirectory("ariya-benchmarks");
    private DistributedApplication? _app;
    private string _connection = "";

    /// <summary>StackExchange.Redis's connection string.</summary>
    public string Redis { get; private set; } = "";

    public int Port => new NpgsqlConnectionStringBuilder(_connection).Port;

    public string Password => new NpgsqlConnectionStringBuilder(_connection).Password!;

    public string User => new NpgsqlConnectionStringBuilder(_connection).Username!;

    public async Task StartAsync()
    {
        using var timeout = new CancellationTokenSource(s_install);
        // redis-server where there is one: what people deploy.
        if (Executables.Find("redis-server") is { } redis)
        {
            Environment.SetEnvironmentVariable("ARIYA_REDIS_SERVER", redis);
        }

        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(
            [$"AppHost:DataDirectory={_data.FullName}"], timeout.Token);
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddLogging(logging => logging.ClearProviders());
        foreach (var name in new[] { "api", "worker", "maildev" })
        {
            builder.Resources.Remove(builder.Resources.Single(resource => resource.Name == name));
        }

        builder.CreateResourceBuilder<PostgresServerResource>("postgres")
            .WithArgs("-c", "shared_buffers=2GB", "-c", "max_wal_size=8GB", "-c", "checkpoint_timeout=30min", "-c", "max_connections=300");
        builder.CreateResourceBuilder<ProjectResource>("migrations").WithEnvironment("JWT_SECRET", Programs.JwtSecret);
        _app = await builder.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        await _app.ResourceNotifications.WaitForResourceHealthyAsync("cache", timeout.Token);
        await _app.ResourceNotifications.WaitForResourceAsync("migrations", KnownResourceStates.TerminalStates, timeout.Token);
        _connection = (await _app.GetConnectionStringAsync(Template, timeout.Token))!;
        Redis = (await _app.GetConnectionStringAsync("cache", timeout.Token))!;
    }

    /// <summary>A new database with the schema and nothing else; its connection string.</summary>
    public async Task<string> CreateDatabaseAsync(string name)
    {
        await AdministerAsync($"drop database if exists {name} with (force)");
        await AdministerAsync($"create database {name} template {Template}");
        return To(name);
    }

    /// <summary>A new database without anything; its connection string.</summary>
    public async Task<string> CreateEmptyDatabaseAsync(string name)
    {
        await AdministerAsync($"drop database if exists {name} with (force)");
        await AdministerAsync($"create database {name}");
        return To(name);
    }

    public Task CheckpointAsync() => AdministerAsync("checkpoint");

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        _data.Delete(recursive: true);
    }

    private string To(string database) => new NpgsqlConnectionStringBuilder(_connection) { Database = database }.ConnectionString;

    private async Task AdministerAsync(string sql)
    {
        await using var database = new Database(To("postgres"));
        await database.ExecuteAsync(sql);
    }
}
