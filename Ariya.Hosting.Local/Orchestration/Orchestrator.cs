using Ariya.Hosting.Local.Processes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Hosting;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>What a <see cref="ResourceRun"/> works with.</summary>
internal sealed record RunParts(
    ResourceNotificationService Notifications, ResourceLoggerService Consoles, IDistributedApplicationEventing Eventing,
    ChildProcesses Processes, StartCommand Command, TimeProvider Time, IServiceProvider Services,
    Action<string> GiveUp, Action<IResource> PortsChanged,
    Action<IResource, Func<CustomResourceSnapshot, CustomResourceSnapshot>> PublishWithChildren);

/// <summary>Starts every resource of the model in the order that its waits ask for, and ends them all.</summary>
internal sealed class Orchestrator : IHostedService, IDisposable
{
    private readonly DistributedApplicationModel _model;
    private readonly Model _checked;
    private readonly DataFolders _folders;
    private readonly RunFailure _failure;
    private readonly IHostApplicationLifetime _lifetime;
    private readonly bool _isTesting;
    private readonly RunParts _parts;
    private readonly Dictionary<string, ResourceRun> _runs = new(StringComparer.OrdinalIgnoreCase);

    public Orchestrator(
        DataFolders folders, DistributedApplicationModel model, Model checkedModel, ResourceNotificationService notifications,
        ResourceLoggerService consoles, IDistributedApplicationEventing eventing, ChildProcesses processes, StartCommand command,
        TimeProvider time, IServiceProvider services, RunFailure failure,
        IHostApplicationLifetime lifetime, IConfiguration configuration)
    {
        _folders = folders;
        _model = model;
        _checked = checkedModel;
        _failure = failure;
        _lifetime = lifetime;
        _isTesting = RunMode.IsTesting(configuration);
        _parts = new RunParts(
            notifications, consoles, eventing, processes, command, time, services, GiveUp, RestartUsersOf, PublishWithChildren);
    }

    public ResourceRun? Find(string resourceName) => _runs.GetValueOrDefault(resourceName);

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        foreach (var resource in _model.Resources)
        {
            await _parts.Eventing.PublishAsync(new InitializeResourceEvent(resource, _parts.Services), cancellationToken);
            if (Follows(resource))
            {
                continue;
            }

            var isStarted = _checked.IsStarted(resource);
            PublishWithChildren(resource, s => s with
            {
                State = !isStarted ? KnownResourceStates.Running
                    : IsStartedByHand(resource) ? KnownResourceStates.NotStarted : KnownResourceStates.Starting,
                StartTimeStamp = isStarted ? null : _parts.Time.GetUtcNow().UtcDateTime,
                HealthReports = isStarted ? [] : HealthMonitor.NoReportsYet(resource),
                IsHidden = resource is ParameterResource,
            });
            if (isStarted)
            {
                _runs.Add(resource.Name, new ResourceRun(resource, _parts));
            }
        }

        foreach (var resource in _model.Resources.Where(r => r.Annotations.OfType<EndpointAnnotation>().Any()))
        {
            await _parts.Eventing.PublishAsync(new ResourceEndpointsAllocatedEvent(resource, _parts.Services), cancellationToken);
        }

        foreach (var resource in _model.Resources.OfType<IResourceWithConnectionString>())
        {
            await _parts.Eventing.PublishAsync(new ConnectionStringAvailableEvent(resource, _parts.Services), cancellationToken);
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
        _folders.DeleteRunFolder();
    }

    public void Dispose()
    {
        foreach (var run in _runs.Values)
        {
            run.Dispose();
        }
    }

    private static bool IsStartedByHand(IResource resource) => resource.Annotations.OfType<ExplicitStartupAnnotation>().Any();

    private void GiveUp(string message)
    {
        // A test sees the failed resource and its last lines.
        if (!_isTesting)
        {
            _failure.Message ??= message;
            _lifetime.StopApplication();
        }
    }

    /// <summary>Those that were started with the old port are started anew with the new one.</summary>
    private void RestartUsersOf(IResource resource)
    {
        foreach (var user in _runs.Values.Where(r => r.IsActive && r.Resource.Annotations.OfType<ResourceRelationshipAnnotation>()
            .Any(a => a.Type == "Reference" && ReferenceEquals(a.Resource, resource))))
        {
            _ = user.RestartAsync(_lifetime.ApplicationStopping);
        }
    }

    /// <summary>A database comes and goes with its server, unless it is elsewhere.</summary>
    private static bool Follows(IResource resource) =>
        resource is IResourceWithParent && !resource.Annotations.OfType<GivenConnectionStringAnnotation>().Any();

    private void PublishWithChildren(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> change)
    {
        _parts.Notifications.PublishUpdateAsync(resource, change);
        _parts.Notifications.TryGetCurrentState(resource.Name, out var parent);
        foreach (var child in _model.Resources.Where(Follows).Cast<IResourceWithParent>().Where(c => ReferenceEquals(c.Parent, resource)))
        {
            var hasNewRun = parent!.Snapshot.StartTimeStamp is not null;
            _parts.Notifications.PublishUpdateAsync(child, s => s with
            {
                State = parent.Snapshot.State,
                ExitCode = parent.Snapshot.ExitCode,
                StartTimeStamp = parent.Snapshot.StartTimeStamp,
                StopTimeStamp = parent.Snapshot.StopTimeStamp,
                HealthReports = hasNewRun ? HealthMonitor.NoReportsYet(child) : [],
                ResourceReadyEvent = null,
            });
        }
    }
}
