using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ariya.Tests.HostingLocal.Model;

/// <summary>Models made of small shell scripts.</summary>
internal static class ShellModel
{
    public const string Forever = "exec sleep 1000";

    public static CancellationTokenSource Deadline() => new(TimeSpan.FromSeconds(60));

    public static IResourceBuilder<ExecutableResource> AddShell(this IDistributedApplicationBuilder builder, string name, string script) =>
        builder.AddExecutable(name, "/bin/sh", Path.GetTempPath(), "-c", script);

    public static IResourceBuilder<T> WithProbe<T>(this IResourceBuilder<T> builder, Func<HealthCheckResult> probe) where T : IResource
    {
        builder.ApplicationBuilder.Services.AddHealthChecks().AddCheck($"{builder.Resource.Name}_probe", probe);
        return builder.WithHealthCheck($"{builder.Resource.Name}_probe");
    }

    public static async Task<DistributedApplication> StartedAsync(
        this IDistributedApplicationTestingBuilder builder, CancellationToken cancel)
    {
        var app = await builder.BuildAsync(cancel);
        try
        {
            await app.StartAsync(cancel);
            return app;
        }
        catch
        {
            await app.DisposeAsync();
            throw;
        }
    }

    public static CustomResourceSnapshot StateOf(this DistributedApplication app, string name)
    {
        Assert.True(app.ResourceNotifications.TryGetCurrentState(name, out var current));
        return current!.Snapshot;
    }

    public static async Task<CustomResourceSnapshot> EndOfAsync(this DistributedApplication app, string name, CancellationToken cancel)
    {
        await app.ResourceNotifications.WaitForResourceAsync(name, KnownResourceStates.TerminalStates, cancel);
        return app.StateOf(name);
    }

    public static IReadOnlyList<string> LinesOf(this DistributedApplication app, string name) =>
        app.Services.GetRequiredService<ResourceLoggerService>().LastLines(name, ResourceLoggerService.KeptLines);

    public static async Task UntilAsync(Func<bool> condition, CancellationToken cancel)
    {
        while (!condition())
        {
            await Task.Delay(20, cancel);
        }
    }

    public static bool HasProcess(this DistributedApplication app, string name) =>
        app.Services.GetRequiredService<Orchestrator>().Find(name) is not null;
}
