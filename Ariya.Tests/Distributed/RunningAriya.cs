using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;

namespace Ariya.Tests.Distributed;

/// <summary>The whole application, started once from its application model on random ports and fresh data.</summary>
public sealed class RunningAriya : IAsyncLifetime
{
    /// <summary>Covers the first run's installation of the servers.</summary>
    public static readonly TimeSpan StartTimeout = TimeSpan.FromMinutes(8);

    private DistributedApplication? _app;

    public DistributedApplication App => _app!;
    public SpanCollector Collector { get; } = new();
    public HttpClient Api { get; private set; } = null!;
    public HttpClient MailDev { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        using var timeout = new CancellationTokenSource(StartTimeout);
        await Collector.StartAsync();
        var appHost = await DistributedApplicationTestingBuilder.CreateAsync<Projects.Ariya_AppHost>(["UseVolumes=false"], timeout.Token);
        foreach (var project in new[] { "api", "worker" })
        {
            appHost.CreateResourceBuilder<ProjectResource>(project)
                .WithEnvironment("OTEL_EXPORTER_OTLP_ENDPOINT", Collector.Url)
                .WithEnvironment("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf")
                .WithEnvironment("OTEL_BSP_SCHEDULE_DELAY", "100");
        }

        _app = await appHost.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        foreach (var resource in new[] { "api", "worker", "maildev" })
        {
            await _app.ResourceNotifications.WaitForResourceHealthyAsync(resource, timeout.Token);
        }

        Api = _app.CreateHttpClient("api");
        MailDev = _app.CreateHttpClient("maildev");
    }

    public async Task DisposeAsync()
    {
        Api?.Dispose();
        MailDev?.Dispose();
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }

        await Collector.DisposeAsync();
    }
}

[CollectionDefinition(Name)]
public sealed class RunningAriyaTests : ICollectionFixture<RunningAriya>
{
    public const string Name = "The running application";
}
