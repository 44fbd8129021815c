using Ariya.Hosting.Local.Processes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>What a <see cref="ResourceRun"/> works with.</summary>
internal sealed record RunParts(
    ResourceNotificationService Notifications, ResourceLoggerService Consoles, IDistributedApplicationEventing Eventing,
    ChildProcesses Processes, StartCommand Command, TimeProvider Time, IServiceProvider Services);

/// <summary>Starts every resource of the model in the order that its waits ask for, and ends them all.</summary>
internal sealed class Orchestrator(
    RunParts parts, DistributedApplicationModel model, DataFolders folders, RunFailure failure, IHostApplicationLifetime lifetime,
    IConfiguration configuration) : IHostedService, IDisposable
{
    private readonly Dictionary<string, ResourceRun> _runs = new(StringComparer.OrdinalIgnoreCase);

    public bool IsStopping => lifetime.ApplicationStopping.IsCancellationRequested;

    public ResourceRun? Find(string resourceName) => _runs.GetValueOrDefault(resourceName);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var resource in model.Resources.Where(r => !Follows(r)))
        {
            var isStarted = ModelCheck.IsStarted(resource);
            Publish(resource, s => s with
            {
                State = !isStarted ? KnownResourceStates.Running
                    : IsStartedByHand(resource) ? KnownResourceStates.NotStarted : KnownResourceStates.Starting,
                StartTimeStamp = isStarted ? null : parts.Time.GetUtcNow().UtcDateTime,
                HealthReports = isStarted ? [] : HealthMonitor.NoReportsYet(resource),
                IsHidden = resource is ParameterResource,
            });
            if (isStarted)
            {
                _runs.Add(resource.Name, new ResourceRun(resource, parts, this));
            }
        }

        foreach (var run in _runs.Values.Where(r => !IsStartedByHand(r.Resource)))
        {
            await run.StartAsync(cancellationToken);
        }
    }

    /// <summary>Programs first, while their servers still answer; then the servers.</summary>
    public async Task StopAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(_runs.Values.Where(r => r.Resource is not ContainerResource).Select(r => r.StopAsync(CancellationToken.None)));
        await Task.WhenAll(_runs.Values.Where(r => r.Resource is ContainerResource).Select(r => r.StopAsync(CancellationToken.None)));
        folders.DeleteRunFolder();
    }

    public void Dispose()
    {
        foreach (var run in _runs.Values)
        {
            run.Dispose();
        }
    }

    /// <summary>Ends the host, except in a test, which sees the failed resource and its last lines.</summary>
    public void GiveUp(string message)
    {
        if (!RunMode.IsTesting(configuration))
        {
            failure.Message ??= message;
            lifetime.StopApplication();
        }
    }

    /// <summary>Those that were started with the old port are started anew with the new one.</summary>
    public void RestartUsersOf(IResource resource)
    {
        foreach (var user in _runs.Values.Where(r => r.IsActive
            && r.Resource.All<ReferenceAnnotation>().Any(a => ReferenceEquals(a.Resource, resource))))
        {
            _ = user.RestartAsync(lifetime.ApplicationStopping);
        }
    }

    /// <summary>Changes the state of a resource and of the databases that come and go with it.</summary>
    public void Publish(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> change)
    {
        parts.Notifications.PublishUpdateAsync(resource, change);
        parts.Notifications.TryGetCurrentState(resource.Name, out var current);
        var parent = current!.Snapshot;
        foreach (var child in model.Resources.Where(Follows).Cast<IResourceWithParent>().Where(c => ReferenceEquals(c.Parent, resource)))
        {
            parts.Notifications.PublishUpdateAsync(child, s => s with
            {
                State = parent.State,
                ExitCode = parent.ExitCode,
                WasStopped = parent.WasStopped,
                StartTimeStamp = parent.StartTimeStamp,
                StopTimeStamp = parent.StopTimeStamp,
                HealthReports = parent.StartTimeStamp is null ? [] : HealthMonitor.NoReportsYet(child),
                ResourceReadyEvent = null,
            });
        }
    }

    private static bool IsStartedByHand(IResource resource) => resource.Has<ExplicitStartupAnnotation>();

    /// <summary>A database comes and goes with its server, unless it is elsewhere.</summary>
    private static bool Follows(IResource resource) => resource is IResourceWithParent && !resource.Has<GivenConnectionStringAnnotation>();
}
