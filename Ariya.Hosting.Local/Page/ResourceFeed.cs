using System.Net.ServerSentEvents;
using System.Runtime.CompilerServices;
using System.Threading.Channels;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ariya.Hosting.Local.Page;

/// <summary>What the page is told: states of resources and lines of one console, secrets masked.</summary>
internal sealed class ResourceFeed(
    DistributedApplicationModel model, ResourceNotificationService notifications, ResourceLoggerService consoles)
{
    public async IAsyncEnumerable<SseItem<object>> ReadAsync(string? console, [EnumeratorCancellation] CancellationToken ct)
    {
        var mask = await SecretMask.OfAsync(model, ct);
        var events = Channel.CreateBounded<SseItem<object>>(100);
        // A window that is closed, a host that stops: either way both writers end with the reader.
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(ct);
        var writers = Task.WhenAll(
            WriteStatesAsync(events.Writer, mask, ending.Token),
            console is null ? Task.CompletedTask : WriteConsoleAsync(events.Writer, console, mask, ending.Token));
        try
        {
            // Ends the wait below when a writer fails.
            _ = writers.ContinueWith(ended => events.Writer.TryComplete(ended.Exception), CancellationToken.None,
                TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
            while (await WaitAsync(events.Reader, ct))
            {
                while (events.Reader.TryRead(out var item))
                {
                    yield return item;
                }
            }
        }
        finally
        {
            await ending.CancelAsync();
            await writers.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static async Task<bool> WaitAsync(ChannelReader<SseItem<object>> events, CancellationToken ct)
    {
        try
        {
            return await events.WaitToReadAsync(ct);
        }
        catch (OperationCanceledException)
        {
            return false;
        }
    }

    private async Task WriteStatesAsync(ChannelWriter<SseItem<object>> events, SecretMask mask, CancellationToken ct)
    {
        await foreach (var change in notifications.WatchAsync(ct))
        {
            if (change.Resource is not ParameterResource && !change.Snapshot.IsHidden)
            {
                await events.WriteAsync(new SseItem<object>(View(change, mask), "resource"), ct);
            }
        }
    }

    private async Task WriteConsoleAsync(ChannelWriter<SseItem<object>> events, string console, SecretMask mask, CancellationToken ct)
    {
        if (!model.Resources.TryGetByName(console, out var resource))
        {
            return;
        }

        await foreach (var lines in consoles.WatchAsync(resource).WithCancellation(ct))
        {
            var view = lines.Select(line => new { n = line.LineNumber, text = mask.Text(line.Content), error = line.IsErrorMessage });
            await events.WriteAsync(new SseItem<object>(view.ToArray(), "lines"), ct);
        }
    }

    private static object View(ResourceEvent change, SecretMask mask)
    {
        var snapshot = change.Snapshot;
        return new
        {
            name = change.Resource.Name,
            type = ResourceState.KindOf(change.Resource),
            state = ResourceState.Describe(snapshot),
            level = ResourceState.Level(snapshot),
            runs = change.Resource is ContainerResource or ProjectResource or ExecutableResource,
            stopped = snapshot.IsTerminal || snapshot.State is null || snapshot.State.Text == KnownResourceStates.NotStarted,
            started = snapshot.StartTimeStamp,
            urls = snapshot.Urls.Select(url => new { name = url.Name, url = mask.Text(url.Url) }),
            // What was probed last says nothing of a process that has ended.
            health = snapshot.HealthReports.Where(_ => snapshot.HealthStatus is not null).Select(report => new
            {
                name = report.Name,
                status = report.Status?.ToString() ?? "Unknown",
                good = report.Status == HealthStatus.Healthy,
                text = mask.Text(report.Description ?? report.ExceptionText ?? ""),
            }),
            environment = snapshot.EnvironmentVariables.OrderBy(variable => variable.Name, StringComparer.OrdinalIgnoreCase)
                .Select(variable => new { name = variable.Name, value = mask.Variable(variable.Name, variable.Value) }),
        };
    }
}
