using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.ApplicationModel;

/// <summary>The state of every resource, and the waits for it. A wait that cannot end well says what is known of the resource.</summary>
public sealed class ResourceNotificationService(
    DistributedApplicationModel model, ResourceLoggerService consoles, IHostApplicationLifetime lifetime)
{
    private readonly Lock _gate = new();
    private readonly Dictionary<string, ResourceEvent> _current = new(StringComparer.OrdinalIgnoreCase);
    private readonly List<Channel<ResourceEvent>> _watchers = [];

    public Task PublishUpdateAsync(IResource resource, Func<CustomResourceSnapshot, CustomResourceSnapshot> stateFactory)
    {
        lock (_gate)
        {
            var before = _current.TryGetValue(resource.Name, out var current)
                ? current.Snapshot
                : new CustomResourceSnapshot { ResourceType = TypeOf(resource) };
            var after = stateFactory(before);
            if (current is null || !ReferenceEquals(before, after))
            {
                _current[resource.Name] = current = new ResourceEvent(resource, resource.Name, after);
                _watchers.ForEach(w => w.Writer.TryWrite(current));
            }
        }

        return Task.CompletedTask;
    }

    public bool TryGetCurrentState(string resourceId, out ResourceEvent? resourceEvent)
    {
        lock (_gate)
        {
            return _current.TryGetValue(resourceId, out resourceEvent);
        }
    }

    /// <summary>The present state of every resource, then every change.</summary>
    public async IAsyncEnumerable<ResourceEvent> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var channel = Channel.CreateUnbounded<ResourceEvent>();
        lock (_gate)
        {
            foreach (var resourceEvent in _current.Values)
            {
                channel.Writer.TryWrite(resourceEvent);
            }

            _watchers.Add(channel);
        }

        try
        {
            await foreach (var resourceEvent in channel.Reader.ReadAllAsync(cancellationToken))
            {
                yield return resourceEvent;
            }
        }
        finally
        {
            lock (_gate)
            {
                _watchers.Remove(channel);
            }
        }
    }

    public Task WaitForResourceAsync(string resourceName, string? targetState = null, CancellationToken cancellationToken = default) =>
        WaitForResourceAsync(resourceName, [targetState ?? KnownResourceStates.Running], cancellationToken);

    public async Task<string> WaitForResourceAsync(
        string resourceName, IEnumerable<string> targetStates, CancellationToken cancellationToken = default)
    {
        var states = targetStates.ToList();
        var reached = await WaitForResourceAsync(resourceName, e => states.Contains(e.Snapshot.State?.Text!), cancellationToken);
        return reached.Snapshot.State!.Text;
    }

    public async Task<ResourceEvent> WaitForResourceAsync(
        string resourceName, Func<ResourceEvent, bool> predicate, CancellationToken cancellationToken = default)
    {
        if (!model.Resources.TryGetByName(resourceName, out var resource))
        {
            throw new DistributedApplicationException($"Resource '{resourceName}' does not exist in the application model.");
        }

        using var ending = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, lifetime.ApplicationStopping);
        try
        {
            await foreach (var resourceEvent in WatchAsync(ending.Token))
            {
                if (ReferenceEquals(resourceEvent.Resource, resource) && predicate(resourceEvent))
                {
                    return resourceEvent;
                }
            }
        }
        catch (OperationCanceledException e)
        {
            var reason = cancellationToken.IsCancellationRequested ? "was cancelled" : "ended because the host is stopping";
            throw new OperationCanceledException($"Waiting for '{resourceName}' {reason}. {Describe(resourceName)}", e, cancellationToken);
        }

        throw new InvalidOperationException("The states of resources ended.");
    }

    public async Task<ResourceEvent> WaitForResourceHealthyAsync(string resourceName, CancellationToken cancellationToken = default)
    {
        var reached = await WaitForResourceAsync(
            resourceName, e => e.Snapshot.IsReady || e.Snapshot.IsTerminal, cancellationToken);
        if (!reached.Snapshot.IsReady)
        {
            throw new DistributedApplicationException($"'{resourceName}' cannot become healthy. {Describe(resourceName)}");
        }

        try
        {
            await reached.Snapshot.ResourceReadyEvent!.EventTask.WaitAsync(cancellationToken);
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            throw new DistributedApplicationException(
                $"A handler that makes '{resourceName}' ready failed: {e.Message} {Describe(resourceName)}", e);
        }

        return reached;
    }

    public Task WaitForDependenciesAsync(IResource resource, CancellationToken cancellationToken) =>
        Task.WhenAll(resource.All<WaitAnnotation>().Select(wait => WaitForDependencyAsync(wait, cancellationToken)));

    /// <summary>State, exit code, failing health checks and the last console lines of a resource, in words.</summary>
    internal string Describe(string resourceName)
    {
        var snapshot = TryGetCurrentState(resourceName, out var current) ? current!.Snapshot : null;
        var text = $"'{resourceName}' is {snapshot?.State?.Text ?? "not started"}";
        text += snapshot?.ExitCode is { } exitCode ? $" (exit code {exitCode})." : ".";
        foreach (var report in snapshot?.HealthReports.Where(r => r.Status != HealthStatus.Healthy) ?? [])
        {
            var why = report.Description ?? report.ExceptionText ?? "no probe has ended yet";
            text += $"\n  health check {report.Name}: {report.Status?.ToString() ?? "unknown"}: {why}";
        }

        var lines = consoles.LastLines(resourceName, 20);
        return lines.Count == 0
            ? text + "\n  It has written nothing."
            : text + "\n  Its last lines:" + string.Concat(lines.Select(line => "\n    " + line));
    }

    private async Task WaitForDependencyAsync(WaitAnnotation wait, CancellationToken cancellationToken)
    {
        var name = wait.Resource.Name;
        if (wait.WaitType == WaitType.WaitUntilHealthy)
        {
            await WaitForResourceHealthyAsync(name, cancellationToken);
            return;
        }

        var awaitsStart = wait.WaitType == WaitType.WaitUntilStarted;
        var reached = (await WaitForResourceAsync(
            name, e => e.Snapshot.IsTerminal || (awaitsStart && e.Snapshot.State?.Text == KnownResourceStates.Running),
            cancellationToken)).Snapshot;
        if (awaitsStart ? reached.IsTerminal : reached.State!.Text == KnownResourceStates.FailedToStart)
        {
            throw new DistributedApplicationException($"'{name}' did not start. {Describe(name)}");
        }

        if (!awaitsStart && reached.ExitCode != wait.ExitCode)
        {
            throw new DistributedApplicationException(
                $"'{name}' should have ended with exit code {wait.ExitCode}, but did with {reached.ExitCode}. {Describe(name)}");
        }
    }

    private static string TypeOf(IResource resource) => resource switch
    {
        ProjectResource => "Project",
        ContainerResource => "Container",
        ExecutableResource => "Executable",
        ParameterResource => "Parameter",
        _ => resource.GetType().Name,
    };
}
