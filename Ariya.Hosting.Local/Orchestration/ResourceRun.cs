using System.Collections.Immutable;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>The life of one resource's process: waits, start, end; again when somebody asks for it.</summary>
internal sealed class ResourceRun(IResource resource, RunParts parts) : IDisposable
{
    private const int StartAttempts = 5;

    private readonly SemaphoreSlim _commands = new(1);
    private CancellationTokenSource _ending = new();
    private Task _life = Task.CompletedTask;
    private bool _isRestarting;

    public IResource Resource => resource;

    public bool IsActive => !_life.IsCompleted;

    private TimeSpan Grace => resource is ContainerResource ? TimeSpan.FromSeconds(3) : TimeSpan.FromSeconds(5);

    /// <summary>False when it is started already.</summary>
    public Task<bool> StartAsync(CancellationToken cancellationToken) => OneAtATimeAsync(() =>
    {
        var starts = !IsActive;
        if (starts)
        {
            Begin();
        }

        return Task.FromResult(starts);
    }, cancellationToken);

    public Task<bool> StopAsync(CancellationToken cancellationToken) => OneAtATimeAsync(async () =>
    {
        var stops = IsActive;
        await EndAsync();
        return stops;
    }, cancellationToken);

    public Task<bool> RestartAsync(CancellationToken cancellationToken) => OneAtATimeAsync(async () =>
    {
        // Whoever waits for this resource must not take the pause for its end.
        _isRestarting = true;
        await EndAsync();
        _isRestarting = false;
        Begin();
        return true;
    }, cancellationToken);

    public void Dispose()
    {
        _commands.Dispose();
        _ending.Dispose();
    }

    private async Task<bool> OneAtATimeAsync(Func<Task<bool>> command, CancellationToken cancellationToken)
    {
        await _commands.WaitAsync(cancellationToken);
        try
        {
            return await command();
        }
        finally
        {
            _commands.Release();
        }
    }

    private void Begin()
    {
        _ending.Dispose();
        _ending = new CancellationTokenSource();
        Publish(s => s with
        {
            State = KnownResourceStates.Starting,
            ExitCode = null,
            StartTimeStamp = null,
            StopTimeStamp = null,
            HealthReports = [],
            ResourceReadyEvent = null,
        });
        _life = Task.Run(() => LiveAsync(_ending.Token));
    }

    private async Task EndAsync()
    {
        await _ending.CancelAsync();
        await _life;
    }

    private async Task LiveAsync(CancellationToken ending)
    {
        try
        {
            await parts.Eventing.PublishAsync(new BeforeResourceStartedEvent(resource, parts.Services), ending);
            if (resource.Annotations.OfType<WaitAnnotation>().Any())
            {
                Publish(s => s with { State = KnownResourceStates.Waiting });
                await parts.Notifications.WaitForDependenciesAsync(resource, ending);
                Publish(s => s with { State = KnownResourceStates.Starting });
            }

            await PublishEndAsync(await RunProcessAsync(ending), ending);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested)
        {
            // Stopped before there was a process.
            await PublishEndAsync(null, ending);
        }
        catch (Exception e)
        {
            parts.Consoles.Append(resource.Name, e.Message, isError: true);
            Publish(s => s with { State = KnownResourceStates.FailedToStart, StopTimeStamp = Now });
            if (e is ServerMissingException)
            {
                parts.GiveUp(e.Message);
            }
        }
    }

    private async Task<int> RunProcessAsync(CancellationToken ending)
    {
        for (var attempt = 1; ; attempt++)
        {
            var process = await StartProcessAsync(ending);
            await Task.WhenAny(process.Exited, Task.Delay(Timeout.Infinite, ending));
            if (ending.IsCancellationRequested && !process.Exited.IsCompleted)
            {
                Publish(s => s with { State = KnownResourceStates.Stopping });
                await process.StopAsync(Grace);
            }

            var exitCode = await process.Exited;
            if (ending.IsCancellationRequested || attempt == StartAttempts || !LostItsPort())
            {
                return exitCode;
            }

            parts.Consoles.Append(resource.Name, "Its port was taken in the meantime; starting again with another one.", isError: true);
            Publish(s => s with { State = KnownResourceStates.Starting, StartTimeStamp = null });
            parts.PortsChanged(resource);
        }
    }

    private bool LostItsPort() => StartCommand.IsAddressInUse(resource, parts.Consoles.LastLines(resource.Name, 50))
        && EndpointAllocation.PickAnew(resource);

    private async Task<ChildProcess> StartProcessAsync(CancellationToken ending)
    {
        var (given, start) = await PrepareAsync(ending);
        var process = await parts.Processes.StartAsync(start, ending);
        Publish(s => s with
        {
            State = KnownResourceStates.Running,
            StartTimeStamp = Now,
            HealthReports = HealthMonitor.NoReportsYet(resource),
            EnvironmentVariables = [.. given.Select(v => new EnvironmentVariableSnapshot(v.Key, v.Value, true))],
            Urls = UrlsOf(resource),
        });
        return process;
    }

    private async Task<(IReadOnlyDictionary<string, string> Given, ChildProcessStart Start)> PrepareAsync(CancellationToken ending)
    {
        try
        {
            return await parts.Command.ForAsync(resource, ending);
        }
        catch (Exception e) when (resource is ContainerResource && e is not OperationCanceledException)
        {
            throw new ServerMissingException($"'{resource.Name}' cannot be started: {e.Message}", e);
        }
    }

    private async Task PublishEndAsync(int? exitCode, CancellationToken ending)
    {
        if (_isRestarting)
        {
            return;
        }

        // A program that comes to its end has finished; a server never should.
        var hasFinished = exitCode == 0 && resource is not ContainerResource && !ending.IsCancellationRequested;
        Publish(s => s with
        {
            State = hasFinished ? KnownResourceStates.Finished : KnownResourceStates.Exited,
            ExitCode = exitCode,
            StopTimeStamp = Now,
        });
        parts.Notifications.TryGetCurrentState(resource.Name, out var last);
        await parts.Eventing.PublishAsync(new ResourceStoppedEvent(resource, parts.Services, last!), CancellationToken.None);
    }

    private DateTime Now => parts.Time.GetUtcNow().UtcDateTime;

    private void Publish(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => parts.PublishWithChildren(resource, change);

    private static ImmutableArray<UrlSnapshot> UrlsOf(IResource resource) =>
    [
        .. resource.Annotations.OfType<EndpointAnnotation>().Where(e => e.AllocatedEndpoint is not null)
            .Select(e => new UrlSnapshot(e.Name, e.AllocatedEndpoint!.UriString, false)),
        .. resource.Annotations.OfType<ResourceUrlAnnotation>().Select(u => new UrlSnapshot(u.DisplayText, u.Url, false)),
    ];
}

/// <summary>No local server can take the place of a container: it could not be found, installed or prepared.</summary>
internal sealed class ServerMissingException(string message, Exception inner) : Exception(message, inner);
