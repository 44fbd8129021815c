using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ariya.Hosting.Local.Page;

/// <summary>The state of a resource in a few words, the same on the page and on the console.</summary>
internal static class ResourceState
{
    public static string Describe(CustomResourceSnapshot snapshot)
    {
        var state = snapshot.State?.Text;
        if (state is null || state == KnownResourceStates.NotStarted)
        {
            return "not started";
        }

        if (state == KnownResourceStates.Running)
        {
            return IsUp(snapshot) ? "running" : snapshot.ResourceReadyEvent is null ? "getting ready" : "not healthy";
        }

        if (state == KnownResourceStates.FailedToStart)
        {
            return "failed to start";
        }

        var ended = state == KnownResourceStates.Exited || state == KnownResourceStates.Finished;
        return ended && snapshot.ExitCode is { } code ? $"ended with {code}" : state.ToLowerInvariant();
    }

    /// <summary>`good`, `bad` or `busy`.</summary>
    public static string Level(CustomResourceSnapshot snapshot)
    {
        if (IsUp(snapshot) || IsDone(snapshot))
        {
            return "good";
        }

        return HasFailed(snapshot) ? "bad" : "busy";
    }

    public static bool IsUp(CustomResourceSnapshot snapshot)
    {
        return snapshot.State?.Text == KnownResourceStates.Running
            && snapshot.HealthStatus == HealthStatus.Healthy
            && snapshot.ResourceReadyEvent is { EventTask.IsFaulted: false };
    }

    /// <summary>It has run to a good end, as a migration does.</summary>
    public static bool IsDone(CustomResourceSnapshot snapshot)
    {
        return snapshot.State?.Text == KnownResourceStates.Finished && snapshot.ExitCode == 0;
    }

    public static bool HasFailed(CustomResourceSnapshot snapshot)
    {
        return snapshot.State is { } state && KnownResourceStates.TerminalStates.Contains(state.Text) && !IsDone(snapshot);
    }
}
