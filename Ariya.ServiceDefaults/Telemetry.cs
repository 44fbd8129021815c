using System.Diagnostics;
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

    private const string RequestLogCategory = "Microsoft.AspNetCore.Hosting.Diagnostics";
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
        builder.Services.PostConfigure<LoggerFilterOptions>(SilenceRequestLog);
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
            logs.IncludeScopes = true;
            var resource = ResourceBuilder.CreateEmpty();
            Describe(builder, resource);
            logs.SetResourceBuilder(resource).AddOtlpExporter(BoundExport(builder));
        });
        // First in, last out: spans of the other services' start and stop are seen.
        builder.Services.Insert(0, ServiceDescriptor.Singleton<IHostedService, Lifetime>());
    }

    /// <summary>
    /// Names request spans by route template and gives them the status. Goes first in the pipeline, before the exception handler.
    /// </summary>
    public static IApplicationBuilder UseRequestTelemetry(this IApplicationBuilder app)
    {
        return app.Use(async (context, next) =>
        {
            var status = StatusCodes.Status500InternalServerError;
            try
            {
                await next(context);
                status = context.Response.StatusCode;
            }
            finally
            {
                if (context.Features.Get<IHttpActivityFeature>()?.Activity is { IsAllDataRequested: true } span)
                {
                    // The exception handler takes the endpoint off the request and keeps it in its feature.
                    NameSpan(span, context.Features.Get<IExceptionHandlerFeature>()?.Endpoint ?? context.GetEndpoint(), status);
                }
            }
        });
    }

    private static void NameSpan(Activity span, Endpoint? endpoint, int status)
    {
        var method = span.GetTagItem("http.request.method") as string;
        method = method is null or "_OTHER" ? "HTTP" : method;
        var route = (endpoint as RouteEndpoint)?.RoutePattern.RawText;
        if (route is not null)
        {
            route = '/' + route.TrimStart('/');
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

    /// <summary>
    /// The request log prints query strings, and mailed tokens stand in those, so its lines are dropped whatever the configuration says.
    /// Critical stays: start-up failures use it, and the host makes a request's activity and logging scope only while it is on.
    /// </summary>
    private static void SilenceRequestLog(LoggerFilterOptions options)
    {
        var rules = options.Rules;
        for (var i = rules.Count - 1; i >= 0; i--)
        {
            if (rules[i].CategoryName?.StartsWith("Microsoft.AspNetCore.Hosting.D", StringComparison.OrdinalIgnoreCase) == true)
            {
                rules.RemoveAt(i);
            }
        }

        // A rule that names a provider beats one that does not, so each provider with rules needs its own.
        string?[] providers = [null, .. rules.Select(rule => rule.ProviderName).OfType<string>().Distinct()];
        foreach (var provider in providers)
        {
            rules.Add(new LoggerFilterRule(provider, RequestLogCategory, LogLevel.Critical, null));
        }
    }

    /// <summary>Drops the spans of health probes with everything under them, and query strings from all others.</summary>
    private sealed class SpanFilter : BaseProcessor<Activity>
    {
        private static readonly string[] s_probes = [Extensions.AlivePath, Extensions.HealthPath, "/api/health"];
        private static readonly string[] s_secretTags = ["url.query", "url.full", "http.target", "http.url"];

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
