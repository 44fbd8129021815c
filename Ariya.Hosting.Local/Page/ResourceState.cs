using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Page;

/// <summary>The state of a resource in a few words, the same on the page and on the console.</summary>
internal static class ResourceState
{
    public static string Describe(CustomResourceSnapshot snapshot) => snapshot.State?.Text switch
    {
        null or "NotStarted" => "not started",
        "Running" => IsUp(snapshot) ? "running" : snapshot.ResourceReadyEvent is null ? "getting ready" : "not healthy",
        "FailedToStart" => "failed to start",
        "Exited" when snapshot.WasStopped => "stopped",
        "Exited" when snapshot.ExitCode is { } code => $"ended with {code}",
        var state => state.ToLowerInvariant(),
    };

    /// <summary>`good`, `bad` or `busy`.</summary>
    public static string Level(CustomResourceSnapshot snapshot) =>
        IsUp(snapshot) || IsDone(snapshot) ? "good" : HasFailed(snapshot) ? "bad" : "busy";

    public static bool IsUp(CustomResourceSnapshot snapshot) =>
        snapshot is { IsReady: true, ResourceReadyEvent.EventTask.IsFaulted: false };

    /// <summary>It has run to a good end, as a migration does.</summary>
    public static bool IsDone(CustomResourceSnapshot snapshot) => snapshot is { State.Text: "Finished", ExitCode: 0 };

    public static bool HasFailed(CustomResourceSnapshot snapshot) =>
        snapshot.IsTerminal && !IsDone(snapshot) && !snapshot.WasStopped;

    /// <summary>What it is here: no containers run.</summary>
    public static string KindOf(IResource resource) => resource switch
    {
        ProjectResource => "project",
        ContainerResource => "server",
        ExecutableResource => "program",
        PostgresDatabaseResource => "database",
        _ => "connection string",
    };
}
