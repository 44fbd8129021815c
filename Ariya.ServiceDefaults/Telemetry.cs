using System.Diagnostics;
using Ariya.ServiceDefaults.Logging;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using OpenTelemetry;
using OpenTelemetry.Exporter;
using OpenTelemetry.Logs;
using OpenTelemetry.Metrics;
using OpenTelemetry.Resources;
using OpenTelemetry.Trace;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// Traces, metrics and logs over OTLP when OTEL_EXPORTER_OTLP_ENDPOINT is set. The runtime, Kestrel and Npgsql write their
/// spans and measurements themselves, so the SDK subscribes to their names and needs no instrumentation package.
/// </summary>
public static class Telemetry
{
    public const string ActivitySourceName = "Ariya";
    public const string MeterName = "Ariya";

    // What these print below a level stands in no log. The request log prints query strings, and mailed tokens stand in those; at Critical it stays: start-up
    // failures use it, and the host makes a request's activity only while it is on. The host's own failures are recorded by ProgramEnd. The others print
    // paths as they were sent, whole addresses, or the host or origin that was asked for.
    private static readonly (string Category, LogLevel From)[] s_silenced =
    [
        ("Microsoft.AspNetCore.Hosting.Diagnostics", LogLevel.Critical), ("Microsoft.Extensions.Hosting.Internal.Host", LogLevel.Critical),
        ("Microsoft.AspNetCore.Routing.Matching", LogLevel.Warning), ("Microsoft.AspNetCore.StaticFiles", LogLevel.Warning),
        ("Microsoft.AspNetCore.HttpOverrides", LogLevel.Warning), ("Microsoft.AspNetCore.HostFiltering", LogLevel.Warning), ("Microsoft.AspNetCore.Cors", LogLevel.Warning),
    ];

    // Prints every statement, without its values, and every error that its caller sees too: for whoever asks for it by name.
    private const string Driver = "Npgsql";

    private const int ExportTimeoutMilliseconds = 1000;
    private const int ShutdownTimeoutMilliseconds = 2000;

    private static readonly string[] s_sources =
        ["Microsoft.AspNetCore", "System.Net.Http", "Npgsql", ActivitySourceName, ActivitySourceName + ".*"];

    private static readonly string[] s_meters =
    [
        "Microsoft.AspNetCore.Hosting", "Microsoft.AspNetCore.Server.Kestrel", "Microsoft.AspNetCore.Routing",
        "Microsoft.AspNetCore.Diagnostics", "Microsoft.AspNetCore.RateLimiting", "Microsoft.AspNetCore.Authentication",
        "System.Net.Http", "System.Runtime", "Npgsql", MeterName, MeterName + ".*",
    ];

    internal static void AddTo(IHostApplicationBuilder builder)
    {
        builder.Services.PostConfigure<LoggerFilterOptions>(Silence);
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"]))
        {
            return;
        }

        // Read when the web host starts: without it request spans carry no tags at all.
        AppContext.SetSwitch("Microsoft.AspNetCore.Hosting.SuppressActivityOpenTelemetryData", false);
        builder.Services.AddSingleton(_ => BuildTraces(builder));
        builder.Services.AddSingleton(_ => BuildMetrics(builder));
        builder.Logging.AddOpenTelemetry(logs =>
        {
            logs.IncludeFormattedMessage = true;
            // The web host's scope has the path as it was sent; the trace is in every record without it.
            logs.IncludeScopes = false;
            var resource = ResourceBuilder.CreateEmpty();
            Describe(builder, resource);
            logs.SetResourceBuilder(resource).AddOtlpExporter(BoundExport(builder));
        });
        // First in, last out: spans of the other services' start and stop are seen.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, Lifetime>());
    }

    /// <summary>
    /// Names request spans by route template, gives them the status, and writes the request's line to <c>http.log</c>. Goes first in the
    /// pipeline, before the exception handler.
    /// </summary>
    /// <param name="app">The pipeline.</param>
    /// <param name="network">What may be said of a client's address. Asked after the request.</param>
    public static IApplicationBuilder UseRequestTelemetry(this IApplicationBuilder app, Func<HttpContext, string>? network = null)
    {
        var files = app.ApplicationServices.GetServices<ILoggerProvider>().OfType<FileLogs>().FirstOrDefault();
        var performance = app.ApplicationServices.GetRequiredService<Performance>();
        return app.Use(async (context, next) =>
        {
            var started = Stopwatch.GetTimestamp();
            var status = StatusCodes.Status500InternalServerError;
            var body = files is null ? null : CountedBody.Of(context);
            try
            {
                await next(context);
                status = context.Response.StatusCode;
            }
            finally
            {
                // The exception handler takes the endpoint off the request and keeps it in its feature.
                var route = RouteOf(context.Features.Get<IExceptionHandlerFeature>()?.Endpoint ?? context.GetEndpoint());
                if (context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span)
                {
                    NameSpan(span, route, status);
                }

                var line = new RequestLine(
                    RequestLine.MethodOf(context), route, status, Stopwatch.GetElapsedTime(started).TotalMilliseconds, body?.Bytes ?? 0,
                    Activity.Current?.TraceId.ToHexString() ?? context.TraceIdentifier, network?.Invoke(context), context.Features.Get<RefusalCode>()?.Code,
                    context.RequestAborted.IsCancellationRequested);
                files?.Write(line);
                performance.Judge(line);
            }
        });
    }

    private static string? RouteOf(Endpoint? endpoint) =>
        (endpoint as RouteEndpoint)?.RoutePattern.RawText is { } route ? '/' + route.TrimStart('/') : null;

    private static void NameSpan(Activity span, string? route, int status)
    {
        var method = span.GetTagItem("http.request.method") as string;
        method = method is null or "_OTHER" ? "HTTP" : method;
        if (route is not null)
        {
            span.SetTag("http.route", route);
        }

        span.DisplayName = route is null ? method : $"{method} {route}";
        span.SetTag("http.response.status_code", status);
        if (status >= StatusCodes.Status500InternalServerError)
        {
            span.SetStatus(ActivityStatusCode.Error);
        }
    }

    private static TracerProvider BuildTraces(IHostApplicationBuilder builder)
    {
        var traces = Sdk.CreateTracerProviderBuilder();
        if (string.IsNullOrEmpty(builder.Configuration["OTEL_TRACES_SAMPLER"]))
        {
            // By default a caller could say in its traceparent that it is not to be recorded.
            traces.SetSampler(new AlwaysOnSampler());
        }

        return traces
            .ConfigureServices(services => services.AddSingleton<IConfiguration>(builder.Configuration))
            .ConfigureResource(resource => Describe(builder, resource))
            .AddSource(s_sources)
            .AddProcessor(new SpanFilter())
            .AddOtlpExporter(BoundExport(builder))
            .Build();
    }

    private static MeterProvider BuildMetrics(IHostApplicationBuilder builder)
    {
        return Sdk.CreateMeterProviderBuilder()
            .ConfigureServices(services => services.AddSingleton<IConfiguration>(builder.Configuration))
            .ConfigureResource(resource => Describe(builder, resource))
            .AddMeter(s_meters)
            .AddOtlpExporter(BoundExport(builder))
            .Build();
    }

    private static void Describe(IHostApplicationBuilder builder, ResourceBuilder resource)
    {
        var name = builder.Configuration["OTEL_SERVICE_NAME"];
        resource.AddTelemetrySdk()
            .AddEnvironmentVariableDetector()
            .AddService(string.IsNullOrWhiteSpace(name) ? builder.Environment.ApplicationName : name, autoGenerateServiceInstanceId: false);
    }

    // A collector that takes connections and never answers would otherwise hold a stop for 15 seconds.
    private static Action<OtlpExporterOptions> BoundExport(IHostApplicationBuilder builder) => options =>
    {
        if (string.IsNullOrWhiteSpace(builder.Configuration["OTEL_EXPORTER_OTLP_TIMEOUT"]))
        {
            options.TimeoutMilliseconds = ExportTimeoutMilliseconds;
        }
    };

    /// <summary>Silences categories whatever the configuration says: also rules for what is below one, or for a part of its name.</summary>
    private static void Silence(LoggerFilterOptions options)
    {
        var rules = options.Rules;
        for (var i = rules.Count - 1; i >= 0; i--)
        {
            if (rules[i].CategoryName is { } category
                && (category.StartsWith("Microsoft.AspNetCore.Hosting.D", StringComparison.OrdinalIgnoreCase)
                    || Array.Exists(s_silenced, one => category.StartsWith(one.Category, StringComparison.OrdinalIgnoreCase))))
            {
                rules.RemoveAt(i);
            }
        }

        var isDriverWanted = rules.Any(rule => rule.CategoryName?.StartsWith(Driver, StringComparison.OrdinalIgnoreCase) == true);
        (string Category, LogLevel From)[] silenced = isDriverWanted ? s_silenced : [.. s_silenced, (Driver, LogLevel.None)];
        // A rule that names a provider beats one that does not, so each provider with rules needs its own.
        string?[] providers = [null, .. rules.Select(rule => rule.ProviderName).OfType<string>().Distinct()];
        foreach (var provider in providers)
        {
            foreach (var (category, from) in silenced)
            {
                rules.Add(new LoggerFilterRule(provider, category, from, null));
            }
        }
    }

    /// <summary>Drops the spans of health probes with everything under them, and from all others the query and what else the path says than its route.</summary>
    private sealed class SpanFilter : BaseProcessor<Activity>
    {
        private static readonly string[] s_probes = [Extensions.AlivePath, Extensions.HealthPath, "/api/health"];
        // Beside the query: whatever else a caller may have typed anything into, and whole addresses.
        private static readonly string[] s_secretTags =
        [
            "url.query", "url.full", "http.target", "http.url", "user_agent.original", "http.request.method_original", "client.address", "network.peer.address",
        ];

        public override void OnStart(Activity span)
        {
            var isProbe = span.Kind == ActivityKind.Server && s_probes.Contains(span.GetTagItem("url.path") as string);
            if (isProbe || span.Parent is { Recorded: false })
            {
                span.ActivityTraceFlags &= ~ActivityTraceFlags.Recorded;
                span.IsAllDataRequested = false;
            }
        }

        public override void OnEnd(Activity span)
        {
            foreach (var tag in s_secretTags)
            {
                span.SetTag(tag, null);
            }

            // A path that leads nowhere may be a mistyped link.
            if (span.GetTagItem("url.path") is not null)
            {
                span.SetTag("url.path", span.GetTagItem("http.route"));
            }
        }
    }

    /// <summary>Starts the providers with the host and flushes them, side by side and bounded, after everything else has stopped.</summary>
    private sealed class Lifetime(TracerProvider traces, MeterProvider metrics, IServiceProvider services) : IHostedLifecycleService
    {
        public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;
        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public async Task StoppedAsync(CancellationToken cancellationToken)
        {
            var flushed = Task.WhenAll(
                Task.Run(() => traces.Shutdown(ShutdownTimeoutMilliseconds), CancellationToken.None),
                Task.Run(() => metrics.Shutdown(ShutdownTimeoutMilliseconds), CancellationToken.None),
                Task.Run(() => services.GetService<LoggerProvider>()?.Shutdown(ShutdownTimeoutMilliseconds), CancellationToken.None));
            // The providers take the time as a hint and may need a second or two more.
            await Task.WhenAny(flushed, Task.Delay(ShutdownTimeoutMilliseconds, CancellationToken.None));
        }
    }
}
