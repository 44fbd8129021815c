using System.Collections.Immutable;
using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>The life of one resource's process: waits, start, end; again when somebody asks for it.</summary>
internal sealed class ResourceRun(IResource resource, RunParts parts, Orchestrator orchestrator) : IDisposable
{
    private const int StartAttempts = 5;

    private readonly SemaphoreSlim _commands = new(1);
    private CancellationTokenSource _ending = new();
    private Task _life = Task.CompletedTask;
    private bool _isRestarting;

    public IResource Resource => resource;
    public bool IsActive => !_life.IsCompleted;
    private DateTime Now => parts.Time.GetUtcNow().UtcDateTime;

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

    public Task StopAsync(CancellationToken cancellationToken) => OneAtATimeAsync(async () =>
    {
        await EndAsync();
        return true;
    }, cancellationToken);

    public Task RestartAsync(CancellationToken cancellationToken) => OneAtATimeAsync(async () =>
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
        Publish(s => new CustomResourceSnapshot { ResourceType = s.ResourceType, State = KnownResourceStates.Starting });
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
            if (resource.Has<WaitAnnotation>())
            {
                Publish(s => s with { State = KnownResourceStates.Waiting });
                await parts.Notifications.WaitForDependenciesAsync(resource, ending);
                Publish(s => s with { State = KnownResourceStates.Starting });
            }

            var exitCode = await RunProcessAsync(ending);
            // A program that comes to its end has finished; a server never should.
            var hasFinished = exitCode == 0 && resource is not ContainerResource && !ending.IsCancellationRequested;
            PublishEnd(hasFinished ? KnownResourceStates.Finished : KnownResourceStates.Exited, exitCode, ending.IsCancellationRequested);
        }
        catch (OperationCanceledException) when (ending.IsCancellationRequested || orchestrator.IsStopping)
        {
            // Stopped before there was a process.
            PublishEnd(KnownResourceStates.Exited, null, wasStopped: true);
        }
        catch (Exception e)
        {
            // First, so that what fails because of it is part of a stop and not news.
            if (e is ServerMissingException)
            {
                orchestrator.GiveUp(e.Message);
            }

            parts.Consoles.Append(resource.Name, e.Message, isError: true);
            PublishEnd(KnownResourceStates.FailedToStart, null);
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
                await process.StopAsync(TimeSpan.FromSeconds(resource is ContainerResource ? 3 : 5));
            }

            var exitCode = await process.Exited;
            if (ending.IsCancellationRequested || attempt == StartAttempts || !LostItsPort())
            {
                return exitCode;
            }

            parts.Consoles.Append(resource.Name, "Its port was taken in the meantime; starting again with another one.", isError: true);
            Publish(s => s with { State = KnownResourceStates.Starting, StartTimeStamp = null });
            orchestrator.RestartUsersOf(resource);
        }
    }

    private bool LostItsPort() => ServerRunner.IsAddressInUse(parts.Consoles.LastLines(resource.Name, 50))
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

    private void PublishEnd(string state, int? exitCode, bool wasStopped = false)
    {
        if (!_isRestarting)
        {
            Publish(s => s with { State = state, ExitCode = exitCode, WasStopped = wasStopped, StopTimeStamp = Now, Urls = [] });
        }
    }

    private void Publish(Func<CustomResourceSnapshot, CustomResourceSnapshot> change) => orchestrator.Publish(resource, change);

    private static ImmutableArray<UrlSnapshot> UrlsOf(IResource resource) =>
    [
        .. resource.All<EndpointAnnotation>().Select(e => new UrlSnapshot(e.Name, e.AllocatedEndpoint!.UriString, false)),
        .. resource.All<UrlAnnotation>().Select(u => new UrlSnapshot(u.DisplayText, u.Url, false)),
    ];
}

/// <summary>No local server can take the place of a container: it could not be found, installed or prepared.</summary>
internal sealed class ServerMissingException(string message, Exception inner) : Exception(message, inner);
