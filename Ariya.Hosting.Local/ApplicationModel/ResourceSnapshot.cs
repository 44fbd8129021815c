using System.Collections.Immutable;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Aspire.Hosting.ApplicationModel;

public static class KnownResourceStates
{
    public static readonly string Starting = "Starting";
    public static readonly string Running = "Running";
    public static readonly string FailedToStart = "FailedToStart";
    public static readonly string Stopping = "Stopping";
    public static readonly string Exited = "Exited";
    public static readonly string Finished = "Finished";
    public static readonly string Waiting = "Waiting";
    public static readonly string NotStarted = "NotStarted";

    public static readonly IReadOnlyList<string> TerminalStates = [Finished, FailedToStart, Exited];
}

public sealed record ResourceStateSnapshot(string Text, string? Style)
{
    public static implicit operator ResourceStateSnapshot?(string? text) => text is null ? null : new(text, null);
}

public sealed record EnvironmentVariableSnapshot(string Name, string? Value, bool IsFromSpec);

public sealed record UrlSnapshot(string? Name, string Url, bool IsInternal);

public sealed record HealthReportSnapshot(string Name, HealthStatus? Status, string? Description, string? ExceptionText);

/// <summary>An event that was published for a resource; the task ends when its handlers have.</summary>
public sealed record EventSnapshot(Task EventTask);

public sealed record CustomResourceSnapshot
{
    public required string ResourceType { get; init; }
    public ResourceStateSnapshot? State { get; init; }
    public int? ExitCode { get; init; }
    public DateTime? StartTimeStamp { get; init; }
    public DateTime? StopTimeStamp { get; init; }
    public ImmutableArray<HealthReportSnapshot> HealthReports { get; init; } = [];
    public ImmutableArray<EnvironmentVariableSnapshot> EnvironmentVariables { get; init; } = [];
    public ImmutableArray<UrlSnapshot> Urls { get; init; } = [];
    public bool IsHidden { get; init; }
    public EventSnapshot? ResourceReadyEvent { get; init; }

    /// <summary>It ended because somebody wished it, or with the host: its exit code tells nothing.</summary>
    internal bool WasStopped { get; init; }

    /// <summary>Only a running resource has a health; without checks it is healthy.</summary>
    public HealthStatus? HealthStatus => State?.Text != KnownResourceStates.Running ? null
        : HealthReports.IsEmpty ? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy
        : HealthReports.Min(r => r.Status ?? Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Unhealthy);

    internal bool IsReady =>
        HealthStatus == Microsoft.Extensions.Diagnostics.HealthChecks.HealthStatus.Healthy && ResourceReadyEvent is not null;

    internal bool IsTerminal => State is { } state && KnownResourceStates.TerminalStates.Contains(state.Text);
}

public class ResourceEvent(IResource resource, string resourceId, CustomResourceSnapshot snapshot)
{
    public IResource Resource { get; } = resource;
    public string ResourceId { get; } = resourceId;
    public CustomResourceSnapshot Snapshot { get; } = snapshot;
}
