using System.Collections.Immutable;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>
/// Probes every running resource and publishes what it finds. Healthy means two good probes in a row; the first time in a run
/// the handlers of <see cref="ResourceReadyEvent"/> follow.
/// </summary>
internal sealed class HealthMonitor(
    ResourceNotificationService notifications, ResourceLoggerService consoles, IDistributedApplicationEventing eventing,
    HealthCheckService healthChecks, IServiceProvider services) : BackgroundService
{
    private static readonly TimeSpan s_delay = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_healthyDelay = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_probeTimeout = TimeSpan.FromSeconds(5);

    /// <summary>The checks of a resource and of those that it is a part of.</summary>
    public static ImmutableArray<HealthReportSnapshot> NoReportsYet(IResource resource) =>
        [.. KeysOf(resource).Select(key => new HealthReportSnapshot(key, null, null, null))];

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var probed = new Dictionary<string, (DateTime? Run, CancellationTokenSource Ending)>();
        await foreach (var change in notifications.WatchAsync(stoppingToken))
        {
            var name = change.Resource.Name;
            var isRunning = change.Snapshot.State?.Text == KnownResourceStates.Running;
            var run = change.Snapshot.StartTimeStamp;
            if (probed.TryGetValue(name, out var current) && (!isRunning || current.Run != run))
            {
                probed.Remove(name);
                await current.Ending.CancelAsync();
            }

            if (isRunning && !probed.ContainsKey(name))
            {
                var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken);
                probed[name] = (run, ending);
                _ = FollowAsync(change.Resource, run, ending.Token);
            }
        }
    }

    private static IEnumerable<string> KeysOf(IResource resource)
    {
        var isElsewhere = resource.Has<GivenConnectionStringAnnotation>();
        return resource.All<HealthCheckAnnotation>().Select(a => a.Key)
            // Its HTTP pages are not: only the connection string is known of it.
            .Where(key => !isElsewhere || key == $"{resource.Name}_check")
            .Concat(resource is IResourceWithParent child && !isElsewhere ? KeysOf(child.Parent) : []).Distinct();
    }

    private async Task FollowAsync(IResource resource, DateTime? run, CancellationToken ending)
    {
        try
        {
            // The server's ready handler makes the database: a probe before that is refused, and an error in the server's console.
            if (resource is IResourceWithParent child && !resource.Has<GivenConnectionStringAnnotation>())
            {
                await notifications.WaitForResourceHealthyAsync(child.Parent.Name, ending);
            }

            await ProbeAsync(resource, run, ending);
        }
        catch (DistributedApplicationException e)
        {
            Publish(resource, run, Unhealthy(KeysOf(resource), e.Message));
        }
        catch (OperationCanceledException)
        {
            // The resource is not running any more.
        }
    }

    private async Task ProbeAsync(IResource resource, DateTime? run, CancellationToken ending)
    {
        var keys = KeysOf(resource).ToHashSet();
        if (keys.Count == 0)
        {
            PublishReady(resource, run, ending);
            return;
        }

        var good = 0;
        var bad = 0;
        var wasReady = false;
        while (true)
        {
            var reports = await ProbeOnceAsync(keys, ending);
            (good, bad) = reports.All(r => r.Status == HealthStatus.Healthy) ? (good + 1, 0) : (0, bad + 1);
            Publish(resource, run, good == 1 ? [.. reports.Select(NotYetHealthy)] : reports);
            if (good >= 2 && !wasReady)
            {
                wasReady = true;
                PublishReady(resource, run, ending);
            }

            // Somebody waits for a resource that is starting; one that became unhealthy may stay so for long.
            await Task.Delay(good >= 2 ? s_healthyDelay : wasReady ? s_delay * Math.Clamp(bad, 1, 10) : s_delay, ending);
        }
    }

    private async Task<ImmutableArray<HealthReportSnapshot>> ProbeOnceAsync(HashSet<string> keys, CancellationToken ending)
    {
        using var bounded = CancellationTokenSource.CreateLinkedTokenSource(ending);
        bounded.CancelAfter(s_probeTimeout);
        try
        {
            var report = await healthChecks.CheckHealthAsync(r => keys.Contains(r.Name), bounded.Token).WaitAsync(bounded.Token);
            return
            [
                .. report.Entries.Select(e => new HealthReportSnapshot(
                    e.Key, e.Value.Status, e.Value.Description ?? e.Value.Exception?.Message, e.Value.Exception?.ToString())),
            ];
        }
        catch (OperationCanceledException) when (!ending.IsCancellationRequested)
        {
            return Unhealthy(keys, $"No answer within {s_probeTimeout.TotalSeconds} seconds.");
        }
    }

    private static ImmutableArray<HealthReportSnapshot> Unhealthy(IEnumerable<string> keys, string text) =>
        [.. keys.Select(key => new HealthReportSnapshot(key, HealthStatus.Unhealthy, text, null))];

    private static HealthReportSnapshot NotYetHealthy(HealthReportSnapshot report) =>
        report with { Status = null, Description = "One good probe; the second decides." };

    private void Publish(IResource resource, DateTime? run, ImmutableArray<HealthReportSnapshot> reports) =>
        notifications.PublishUpdateAsync(resource, s => IsSameRun(s, run) && !s.HealthReports.SequenceEqual(reports)
            ? s with { HealthReports = reports }
            : s);

    private void PublishReady(IResource resource, DateTime? run, CancellationToken ending)
    {
        var handlers = eventing.PublishAsync(new ResourceReadyEvent(resource, services), ending);
        handlers.ContinueWith(
            failed => consoles.Append(resource.Name, $"A ready handler failed: {failed.Exception!.InnerException!.Message}", isError: true),
            CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
        notifications.PublishUpdateAsync(
            resource, s => IsSameRun(s, run) ? s with { ResourceReadyEvent = new EventSnapshot(handlers) } : s);
    }

    private static bool IsSameRun(CustomResourceSnapshot snapshot, DateTime? run) =>
        snapshot.State?.Text == KnownResourceStates.Running && snapshot.StartTimeStamp == run;
}
