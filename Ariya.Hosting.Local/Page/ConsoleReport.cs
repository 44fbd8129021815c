using System.Diagnostics;
using System.Globalization;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Hosting;

namespace Ariya.Hosting.Local.Page;

/// <summary>
/// What the host says on its console: progress while things start, one table when everything is up, and a line for whatever
/// happens later.
/// </summary>
internal sealed class ConsoleReport(
    DistributedApplicationModel model, ResourceNotificationService notifications, ResourceLoggerService consoles, HostPage page,
    DataFolders folders, IHostApplicationLifetime lifetime) : BackgroundService
{
    private const int LastLines = 10;

    private readonly Stopwatch _elapsed = Stopwatch.StartNew();
    private readonly Dictionary<string, CustomResourceSnapshot> _snapshots = new(StringComparer.Ordinal);
    private readonly Dictionary<string, CancellationTokenSource> _startingConsoles = new(StringComparer.Ordinal);
    private readonly bool _isColoured = !Console.IsOutputRedirected
        && string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NO_COLOR"))
        && Environment.GetEnvironmentVariable("TERM") != "dumb";

    private bool _tableWasPrinted;

    private int NameWidth => model.Resources.Where(IsReported).Select(resource => resource.Name.Length).DefaultIfEmpty(0).Max();

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        Console.WriteLine($"Starting. Page: {page.Url}");
        using var ending = CancellationTokenSource.CreateLinkedTokenSource(stoppingToken, lifetime.ApplicationStopping);
        try
        {
            await foreach (var change in notifications.WatchAsync(ending.Token))
            {
                // What ends with the host is no news, and why the host ends is said once, by whoever runs it.
                ending.Token.ThrowIfCancellationRequested();
                if (IsReported(change.Resource) && !change.Snapshot.IsHidden)
                {
                    await ReportAsync(change, ending.Token);
                }
            }
        }
        catch (OperationCanceledException)
        {
            Console.WriteLine("Stopping …");
        }
    }

    private static bool IsReported(IResource resource) => resource is not ParameterResource;

    private async Task ReportAsync(ResourceEvent change, CancellationToken ct)
    {
        var name = change.Resource.Name;
        var state = ResourceState.Describe(change.Snapshot);
        var last = _snapshots.GetValueOrDefault(name);
        var before = last is null ? "" : ResourceState.Describe(last);
        _snapshots[name] = change.Snapshot;
        FollowWhileStarting(change, ct);
        if (state != before && change.Snapshot.State is not null)
        {
            WriteLine(name, Coloured(state, change.Snapshot));
            if (ResourceState.HasFailed(change.Snapshot))
            {
                foreach (var line in consoles.LastLines(name, LastLines))
                {
                    WriteLine("", $"| {line}");
                }
            }
        }

        if (!_tableWasPrinted && IsEverythingUp())
        {
            _tableWasPrinted = true;
            await WriteTableAsync(ct);
        }
    }

    /// <summary>An installation or the making of a data folder takes its time: what the host does is shown until the server runs.</summary>
    private void FollowWhileStarting(ResourceEvent change, CancellationToken ct)
    {
        var name = change.Resource.Name;
        var isStarting = change.Resource is ContainerResource && change.Snapshot.State?.Text == KnownResourceStates.Starting;
        if (isStarting && !_startingConsoles.ContainsKey(name))
        {
            // The first start only: a later one installs nothing, and would show the old lines again.
            var ending = _startingConsoles[name] = CancellationTokenSource.CreateLinkedTokenSource(ct);
            _ = FollowAsync(change.Resource, ending.Token);
        }
        else if (!isStarting && _startingConsoles.TryGetValue(name, out var ending))
        {
            ending.Cancel();
        }
    }

    private async Task FollowAsync(IResource resource, CancellationToken ct)
    {
        try
        {
            await foreach (var lines in consoles.WatchAsync(resource).WithCancellation(ct))
            {
                foreach (var line in lines.Where(line => line.IsProgress))
                {
                    WriteLine(resource.Name, line.Content);
                }
            }
        }
        catch (OperationCanceledException)
        {
            // It runs, or it failed: the state says which.
        }
    }

    private bool IsEverythingUp() => model.Resources.Where(IsReported).All(resource =>
        _snapshots.TryGetValue(resource.Name, out var snapshot)
        && (snapshot.IsHidden || snapshot.IsTerminal || ResourceState.IsUp(snapshot)
            || snapshot.State?.Text == KnownResourceStates.NotStarted));

    private async Task WriteTableAsync(CancellationToken ct)
    {
        var rows = model.Resources
            .Where(resource => IsReported(resource) && !_snapshots[resource.Name].IsHidden)
            .Select(resource => (resource.Name, Snapshot: _snapshots[resource.Name]))
            .ToList();
        var stateWidth = rows.Max(row => ResourceState.Describe(row.Snapshot).Length);
        Console.WriteLine();
        foreach (var (name, snapshot) in rows)
        {
            var state = ResourceState.Describe(snapshot).PadRight(stateWidth);
            var urls = string.Join("  ", snapshot.Urls.Where(url => !url.IsInternal).Select(url => url.Url));
            Console.WriteLine($"  {name.PadRight(NameWidth)}  {Coloured(state, snapshot)}  {urls}".TrimEnd());
        }

        Console.WriteLine();
        foreach (var command in await ConnectCommands.WriteAsync(model, Path.Combine(folders.Root, "connect"), ct))
        {
            Console.WriteLine($"  {command}");
        }

        var verdict = rows.Any(row => ResourceState.HasFailed(row.Snapshot)) ? "Not everything is up" : "Everything is up";
        Console.WriteLine($"\n  Page: {page.Url}\n  {verdict} after {Seconds()} s. Ctrl+C stops it.\n");
    }

    private void WriteLine(string name, string text)
    {
        // One call per line: several consoles are followed at once.
        Console.WriteLine($"{Seconds(),6} s  {name.PadRight(NameWidth)}  {text}");
    }

    private string Seconds() => _elapsed.Elapsed.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture);

    private string Coloured(string text, CustomResourceSnapshot snapshot)
    {
        var colour = ResourceState.Level(snapshot) switch { "good" => 32, "bad" => 31, _ => 33 };
        return _isColoured ? $"\u001b[{colour}m{text}\u001b[0m" : text;
    }
}
