using Ariya.Data.Outbox;

namespace Ariya.Api.Health;

/// <summary>How the deployment is, at most two seconds ago.</summary>
/// <param name="Status">
/// <c>healthy</c>; <c>degraded</c>: requests are served, something behind them is away; <c>unhealthy</c>: they are not.
/// </param>
/// <param name="UptimeSeconds">Of the process that answers.</param>
/// <param name="MemoryBytes">Working set of the process that answers.</param>
/// <param name="Checks">What it depends on.</param>
public sealed record HealthResponse(string Status, long UptimeSeconds, long MemoryBytes, HealthChecksBody Checks);

/// <summary>What the product depends on.</summary>
/// <param name="Database">PostgreSQL; nothing works without it.</param>
/// <param name="Redis">Everything works without it, with limits counted in each process.</param>
/// <param name="Smtp">The mail relay, as the worker sees it; mails wait while it is away.</param>
/// <param name="Outbox">The worker and the mails that wait.</param>
public sealed record HealthChecksBody(ServerHealth Database, ServerHealth Redis, ServerHealth Smtp, OutboxHealth Outbox)
{
    private static readonly TimeSpan s_overdue = TimeSpan.FromMinutes(5);

    internal string Status => (Database.Status, Redis.Status, Smtp.Status, Outbox.Status) switch
    {
        (not HealthStates.Healthy, _, _, _) => HealthStates.Unhealthy,
        (_, HealthStates.Healthy, HealthStates.Healthy, HealthStates.Healthy) => HealthStates.Healthy,
        _ => HealthStates.Degraded,
    };

    /// <param name="database">The database's answer with what the worker wrote; null without one.</param>
    /// <param name="redis">The answer of Redis; null without one.</param>
    internal static HealthChecksBody Judge(Answer<WorkerNews>? database, Answer<bool>? redis)
    {
        var worker = database?.Value;
        var isBeating = worker?.AgeSeconds is { } age && age <= WorkerNews.Stale.TotalSeconds;
        var smtp = !isBeating ? new ServerHealth(HealthStates.Unknown, null)
            : worker!.RelayAnswers ? new ServerHealth(HealthStates.Healthy, worker.RelayLatencyMs)
            : new ServerHealth(HealthStates.Unhealthy, null);
        var outbox = worker is null ? HealthStates.Unknown
            : isBeating && !(worker.OverdueSeconds > s_overdue.TotalSeconds) ? HealthStates.Healthy
            : HealthStates.Degraded;
        return new HealthChecksBody(Server(database?.LatencyMs), Server(redis?.LatencyMs), smtp,
            new OutboxHealth(outbox, worker?.AgeSeconds, worker?.ContactAgeSeconds, worker?.OverdueSeconds));
    }

    private static ServerHealth Server(int? latencyMs) =>
        new(latencyMs is null ? HealthStates.Unhealthy : HealthStates.Healthy, latencyMs);
}

/// <summary>A server the product talks to.</summary>
/// <param name="Status"><c>healthy</c>, <c>unhealthy</c> or <c>unknown</c>.</param>
/// <param name="LatencyMs">Of its last answer, or null.</param>
public sealed record ServerHealth(string Status, int? LatencyMs);

/// <summary>The queue of mails and who works it off.</summary>
/// <param name="Status">
/// <c>healthy</c>; <c>degraded</c>: no worker in the last 20 s, or a mail is overdue by more than 5 minutes; <c>unknown</c>.
/// </param>
/// <param name="HeartbeatAgeSeconds">Since a worker wrote that it lives; null if none ever did.</param>
/// <param name="RelayContactAgeSeconds">Since a relay answered it; null if none did.</param>
/// <param name="OldestDueSeconds">How long the oldest mail that could be sent has waited; null when none waits.</param>
public sealed record OutboxHealth(string Status, int? HeartbeatAgeSeconds, int? RelayContactAgeSeconds, int? OldestDueSeconds);

internal static class HealthStates
{
    public const string Healthy = "healthy";
    public const string Degraded = "degraded";
    public const string Unhealthy = "unhealthy";
    public const string Unknown = "unknown";
}

/// <summary>
/// What the worker last wrote, and the oldest mail that could be sent. Ages in seconds by the database's clock; null: there is none.
/// </summary>
internal sealed record WorkerNews(string? RelayState, int? RelayLatencyMs, int? AgeSeconds, int? ContactAgeSeconds, int? OverdueSeconds)
{
    /// <summary>Four heartbeats missed: the worker is away.</summary>
    public static readonly TimeSpan Stale = TimeSpan.FromSeconds(20);

    public bool RelayAnswers => RelayState == RelayStates.Answers;
}
