using Ariya.ServiceDefaults.Logging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics.HealthChecks;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Microsoft.Extensions.Hosting;

/// <summary>What the API and the worker have in common: telemetry, logging that never blocks, health checks.</summary>
public static class Extensions
{
    public const string AlivePath = "/alive";
    public const string HealthPath = "/health";

    private const string LiveTag = "live";
    // The name under which the Redis client registers its check; keyed clients append "_" and their key.
    private const string RedisCheck = "StackExchange.Redis";
    // A probe has an answer within a second even when a dependency hangs; what is left of it is for a busy machine.
    private static readonly TimeSpan s_checkTimeout = TimeSpan.FromMilliseconds(700);

    public static TBuilder AddServiceDefaults<TBuilder>(this TBuilder builder) where TBuilder : IHostApplicationBuilder
    {
        Telemetry.AddTo(builder);

        LogSinks.AddTo(builder);

        // The host's own way ends the program with 0 and logs twice: ProgramEnd.cs.
        builder.Services.Configure<HostOptions>(host => host.BackgroundServiceExceptionBehavior = BackgroundServiceExceptionBehavior.Ignore);

        builder.Services.AddHealthChecks().AddCheck("self", () => HealthCheckResult.Healthy(), [LiveTag]);
        builder.Services.PostConfigure<HealthCheckServiceOptions>(BoundChecks);
        return builder;
    }

    /// <summary>
    /// Maps /alive (this process answers) and /health (it can serve: every check but Redis, which it can do without),
    /// in every environment. The answers are one word, uncached, and tell nothing about what is checked.
    /// </summary>
    public static WebApplication MapDefaultEndpoints(this WebApplication app)
    {
        MapProbe(app, AlivePath, check => check.Tags.Contains(LiveTag));
        MapProbe(app, HealthPath, check => !check.Name.StartsWith(RedisCheck, StringComparison.Ordinal));
        return app;
    }

    private static void MapProbe(WebApplication app, string path, Func<HealthCheckRegistration, bool> checks)
    {
        app.MapHealthChecks(path, new HealthCheckOptions { Predicate = checks, AllowCachingResponses = false })
            .AllowAnonymous()
            .DisableRateLimiting()
            .DisableHttpMetrics();
    }

    private static void BoundChecks(HealthCheckServiceOptions options)
    {
        foreach (var check in options.Registrations)
        {
            if (check.Timeout == Timeout.InfiniteTimeSpan)
            {
                check.Timeout = s_checkTimeout;
            }
        }
    }
}
