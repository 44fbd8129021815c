using System.Globalization;
using System.Net.Sockets;
using System.Text;
using Ariya.Tests.Degraded;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Ariya.Chaos;

/// <summary>
/// The whole application from its own model, with a second instance of the API and of the worker, the relay of this program instead of
/// MailDev, and a way to the database on which one instance's bytes get lost; and what is done to its processes.
/// </summary>
internal sealed class Ensemble : IAsyncDisposable
{
    // A short window, so that many of them have no fault of Redis in them.
    public const int AddressPermits = 20;
    public const int Lease = 5;

    /// <summary>Seconds in which an instance that was asked to end serves on, unless a run says otherwise.</summary>
    public const int Drain = 2;
    public static readonly TimeSpan AddressWindow = TimeSpan.FromSeconds(15);

    private static readonly TimeSpan s_install = TimeSpan.FromMinutes(8);
    private static readonly string[] s_limits = ["Auth", "AuthTotal", "Network", "NetworkDay", "Mail", "Refresh", "Api", "Upload"];

    private DistributedApplication? _app;
    private FaultProxy? _proxy;
    private FaultProxy? _cacheProxy;

    public string Database { get; private set; } = "";

    /// <summary>How long an instance of the API that was asked to end still takes requests.</summary>
    public TimeSpan DrainDelay { get; init; } = TimeSpan.FromSeconds(Drain);

    /// <summary>The second instance's way to the database.</summary>
    public FaultProxy Proxy => _proxy!;

    /// <summary>The second instance's way to Redis.</summary>
    public FaultProxy CacheProxy => _cacheProxy!;

    public async Task StartAsync(int relayPort)
    {
        using var timeout = new CancellationTokenSource(s_install);
        var builder = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(["UseVolumes=false"], timeout.Token);
        // Ctrl+C ends the load, not the servers: they are judged afterwards.
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.Services.AddLogging(logging => logging.ClearProviders());
        AddSecondInstances(builder);
        foreach (var name in new[] { "api", "api2", "worker", "worker2" })
        {
            var project = builder.CreateResourceBuilder<ProjectResource>(name)
                .WithEnvironment(Processes.Mark, name)
                .WithEnvironment("ConnectionStrings__maildev", string.Create(CultureInfo.InvariantCulture, $"smtp://127.0.0.1:{relayPort}"))
                .WithEnvironment("Outbox__Lease", string.Create(CultureInfo.InvariantCulture, $"00:00:{Lease:00}"))
                // Everybody comes from a network of their own.
                .WithEnvironment("Proxies__Networks", "127.0.0.0/8,::1/128")
                // Requests wait behind each other's hashes on a small machine; that is not Redis being away.
                .WithEnvironment("Redis__Patience", "00:00:01")
                .WithEnvironment("Shutdown__DrainDelay", DrainDelay.ToString("c", CultureInfo.InvariantCulture))
                // Who handed a mail over is seen by its sender.
                .WithEnvironment("SMTP_FROM", $"{name}@ariya.example")
                .WithEnvironment("RateLimits__AddressPermits", AddressPermits.ToString(CultureInfo.InvariantCulture))
                .WithEnvironment("RateLimits__AddressWindow", AddressWindow.ToString("c", CultureInfo.InvariantCulture));
            foreach (var limit in s_limits)
            {
                project.WithEnvironment($"RateLimits__{limit}Permits", "100000");
            }
        }

        _app = await builder.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        foreach (var name in new[] { "api", "api2", "worker", "worker2", "cache" })
        {
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(name, timeout.Token);
        }

        Database = (await _app.GetConnectionStringAsync("ariyadb", timeout.Token))!;
    }

    public Uri AddressOf(string api) => _app!.GetEndpoint(api);

    /// <summary>Until the host has seen its end; kills what does not end by itself.</summary>
    public async Task<bool> EndedAsync(string name, TimeSpan patience)
    {
        using var timeout = new CancellationTokenSource(patience);
        try
        {
            await _app!.ResourceNotifications.WaitForResourceAsync(name, KnownResourceStates.TerminalStates, timeout.Token);
            return true;
        }
        catch (OperationCanceledException)
        {
            Signals.Send(Processes.Of(name), Signals.Kill);
            return false;
        }
    }

    /// <summary>With which a process that has ended did so.</summary>
    public int? ExitCodeOf(string name) =>
        _app!.ResourceNotifications.TryGetCurrentState(name, out var state) ? state?.Snapshot.ExitCode : null;

    public Task StopAsync(string name) => _app!.ResourceCommands.ExecuteCommandAsync(name, "stop");

    /// <summary>Starts what has ended; the run that ended may need a moment to be over.</summary>
    public async Task StartAsync(string name)
    {
        for (var attempt = 0; !(await _app!.ResourceCommands.ExecuteCommandAsync(name, "start")).Success; attempt++)
        {
            if (attempt == 100)
            {
                throw new InvalidOperationException($"{name} does not start.");
            }

            await Task.Delay(50);
        }
    }

    public async Task HealthyAsync(string name, TimeSpan patience)
    {
        using var timeout = new CancellationTokenSource(patience);
        await _app!.ResourceNotifications.WaitForResourceHealthyAsync(name, timeout.Token);
    }

    /// <summary>Redis forgets everything.</summary>
    public async Task FlushAsync()
    {
        // "localhost:port,password=…"
        var parts = (await _app!.GetConnectionStringAsync("cache"))!.Split(',', 2);
        var password = parts[1]["password=".Length..];
        using var client = new TcpClient("127.0.0.1", int.Parse(parts[0].Split(':')[1], CultureInfo.InvariantCulture));
        await client.GetStream().WriteAsync(Encoding.UTF8.GetBytes($"*2\r\n$4\r\nAUTH\r\n${password.Length}\r\n{password}\r\n*1\r\n$8\r\nFLUSHALL\r\n"));
        using var reader = new StreamReader(client.GetStream());
        var answers = (await reader.ReadLineAsync(), await reader.ReadLineAsync());
        if (answers != ("+OK", "+OK"))
        {
            throw new InvalidOperationException($"Redis answered {answers}.");
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        foreach (var proxy in new[] { _proxy, _cacheProxy }.OfType<FaultProxy>())
        {
            await proxy.DisposeAsync();
        }
    }

    private void AddSecondInstances(IDistributedApplicationTestingBuilder builder)
    {
        var database = builder.CreateResourceBuilder<PostgresDatabaseResource>("ariyadb");
        var cache = builder.CreateResourceBuilder<RedisResource>("cache");
        var first = builder.CreateResourceBuilder<ProjectResource>("api");
        var secret = builder.CreateResourceBuilder<ParameterResource>("jwt-secret");
        var migrations = builder.CreateResourceBuilder<ProjectResource>("migrations");
        builder.AddProject<Projects.Ariya_Api>("api2")
            .WithHttpHealthCheck("/health")
            .WithReference(database)
            .WithReference(cache)
            .WithEnvironment("JWT_SECRET", secret)
            .WithEnvironment("JWT_REFRESH_SECRET", builder.CreateResourceBuilder<ParameterResource>("jwt-refresh-secret"))
            .WithEnvironment("APP_URL", first.GetEndpoint("http"))
            .WithEnvironment(async context =>
            {
                var connection = await ((IResourceWithConnectionString)database.Resource).GetConnectionStringAsync(context.CancellationToken);
                var settings = new NpgsqlConnectionStringBuilder(connection);
                _proxy ??= FaultProxy.To(settings.Port);
                (settings.Host, settings.Port) = ("127.0.0.1", _proxy.Port);
                context.EnvironmentVariables["ConnectionStrings__ariyadb"] = settings.ConnectionString;

                // "localhost:port,password=…"
                var parts = (await ((IResourceWithConnectionString)cache.Resource).GetConnectionStringAsync(context.CancellationToken))!.Split([':', ','], 3);
                _cacheProxy ??= FaultProxy.To(int.Parse(parts[1], CultureInfo.InvariantCulture));
                context.EnvironmentVariables["ConnectionStrings__cache"] = string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{_cacheProxy.Port},{parts[2]}");
            })
            .WaitForCompletion(migrations);
        builder.AddProject<Projects.Ariya_Worker>("worker2")
            .WithReference(database)
            .WithEnvironment("JWT_SECRET", secret)
            .WithEnvironment("APP_URL", first.GetEndpoint("http"))
            .WaitForCompletion(migrations);
    }
}
