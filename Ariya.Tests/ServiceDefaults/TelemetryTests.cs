using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.Tests.ServiceDefaults;

public sealed class TelemetryTests
{
    private const string Planted = "planted-mailed-token";
    private static readonly ActivitySource s_source = new("Ariya.Tests");

    [Fact]
    [Trait("Promise", "P62")]
    public async Task RequestSpansHaveRouteAndStatusAndNoQuery()
    {
        var spans = new ConcurrentQueue<string>();
        using var listener = new ActivityListener
        {
            ShouldListenTo = source => source.Name == "Microsoft.AspNetCore",
            ActivityStopped = span => spans.Enqueue(
                $"{span.DisplayName} {span.GetTagItem("http.route")} {span.GetTagItem("http.response.status_code")} {span.Status}"),
        };
        ActivitySource.AddActivityListener(listener);
        await using var collector = await OtlpCollector.StartAsync();
        await using (var host = await StartAsync(collector.Endpoint))
        {
            await host.Client.GetAsync($"/things/17?token={Planted}");
            await host.Client.GetAsync($"/broken/17?token={Planted}");
            await host.Client.GetAsync($"/nowhere/{Planted}?token={Planted}");
            await host.StopAsync();
        }

        await collector.ReceivesAsync("traces", "GET /things/{id:int}", "GET /broken/{id:int}", "inside-a-thing");
        Assert.Contains("GET /things/{id:int} /things/{id:int} 200 Unset", spans);
        Assert.Contains("GET /broken/{id:int} /broken/{id:int} 500 Error", spans);
        Assert.Contains("GET  404 Unset", spans);
        await collector.ReceivesAsync("logs", "Things were asked for in a trace.");
        await collector.ReceivesAsync("metrics", "http.server.request.duration");
        foreach (var signal in new[] { "traces", "logs", "metrics" })
        {
            Assert.DoesNotContain(Planted, collector.Received(signal), StringComparison.Ordinal);
            // Nor what else was typed: a path is its route, or nothing.
            Assert.DoesNotContain("/nowhere", collector.Received(signal), StringComparison.Ordinal);
            Assert.DoesNotContain("/things/17", collector.Received(signal), StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task ProbesLeaveNoSpans()
    {
        await using var collector = await OtlpCollector.StartAsync();
        await using (var host = await StartAsync(collector.Endpoint))
        {
            await host.Client.GetAsync("/health");
            await host.Client.GetAsync("/alive");
            await host.Client.GetAsync("/things/1");
            await host.StopAsync();
        }

        await collector.ReceivesAsync("traces", "GET /things/{id:int}");
        var traces = collector.Received("traces");
        Assert.DoesNotContain("/health", traces, StringComparison.Ordinal);
        Assert.DoesNotContain("/alive", traces, StringComparison.Ordinal);
        Assert.DoesNotContain("inside-a-probe", traces, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ACollectorThatHangsDoesNotHoldUpTheStop()
    {
        using var silent = WebHost.StartSilentServer();
        await using var host = await StartAsync($"http://127.0.0.1:{WebHost.PortOf(silent)}", exportTimeout: null);
        await host.Client.GetAsync("/things/1");

        var started = Stopwatch.GetTimestamp();
        await host.StopAsync();
        await host.DisposeAsync();

        // Unbounded it takes 15 s.
        Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(6));
    }

    [Fact]
    [Trait("Promise", "P62")]
    public async Task NoLogLineHoldsAQueryStringWhateverTheConfigurationSays()
    {
        var lines = new CapturingLoggerProvider();
        await using var host = await StartAsync("", configure: builder =>
        {
            builder.Logging.SetMinimumLevel(LogLevel.Trace).AddProvider(lines);
            builder.Configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Logging:LogLevel:Default"] = "Trace",
                ["Logging:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "Trace",
                ["Logging:Capturing:LogLevel:Default"] = "Trace",
                ["Logging:Capturing:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics"] = "Trace",
                ["Logging:Capturing:LogLevel:Microsoft.AspNetCore.Hosting.Diagnostics*"] = "Trace",
            });
        });

        await host.Client.GetAsync($"/things/17?token={Planted}");
        await host.Client.GetAsync($"/broken/17?token={Planted}");
        await host.Client.GetAsync($"/nowhere/{Planted}?token={Planted}");

        // The other categories do speak at this level, and a request still has a trace of its own without a collector.
        Assert.Contains(lines.Lines, line => line.StartsWith("Microsoft.AspNetCore.Routing", StringComparison.Ordinal));
        Assert.Contains("things: Things were asked for in a trace.", lines.Lines);
        Assert.DoesNotContain(lines.Lines, line => line.Contains(Planted, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(null, false)]
    [InlineData("Logging:LogLevel:Npgsql", true)]
    [InlineData("Logging:Capturing:LogLevel:Npgsql.Command", true)]
    public async Task StatementsAreLoggedForWhoeverAsksForThemByName(string? asked, bool isLogged)
    {
        var lines = new CapturingLoggerProvider();
        await using var host = await StartAsync("", configure: builder =>
        {
            builder.Logging.AddProvider(lines);
            // As an operator turns up one place where lines go: such a rule beats those that name no place.
            builder.Configuration["Logging:Capturing:LogLevel:Default"] = "Trace";
            builder.Configuration[asked ?? "Logging:LogLevel:Default"] = "Trace";
        }, use: app => app.Services.GetRequiredService<ILoggerFactory>().CreateLogger("Npgsql.Command").LogInformation("select 1"));

        Assert.Equal(isLogged, lines.Lines.Contains("Npgsql.Command: select 1"));
    }

    private static Task<WebHost> StartAsync(
        string endpoint, string? exportTimeout = "10000", Action<WebApplicationBuilder>? configure = null, Action<WebApplication>? use = null)
    {
        return WebHost.StartAsync(
            builder =>
            {
                builder.Configuration["OTEL_EXPORTER_OTLP_ENDPOINT"] = endpoint;
                builder.Configuration["OTEL_EXPORTER_OTLP_PROTOCOL"] = "http/protobuf";
                builder.Configuration["OTEL_TRACES_SAMPLER"] = "always_on";
                builder.Configuration["OTEL_EXPORTER_OTLP_TIMEOUT"] = exportTimeout;
                configure?.Invoke(builder);
                builder.AddServiceDefaults();
                builder.Services.AddHealthChecks().AddCheck("traced", () =>
                {
                    using var span = s_source.StartActivity("inside-a-probe");
                    return HealthCheckResult.Healthy();
                });
            },
            app =>
            {
                app.UseRequestTelemetry();
                app.UseExceptionHandler(handler => handler.Run(context => context.Response.WriteAsync("sorry")));
                app.MapDefaultEndpoints();
                app.MapGet("/things/{id:int}", (int id, HttpContext context, ILoggerFactory loggers) =>
                {
                    using var span = s_source.StartActivity("inside-a-thing");
                    foreach (var tag in new[] { "url.query", "url.full", "http.target" })
                    {
                        span?.SetTag(tag, context.Request.QueryString.Value);
                        span?.Parent?.SetTag(tag, context.Request.QueryString.Value);
                    }

                    Assert.NotNull(Activity.Current);
                    loggers.CreateLogger("things").LogInformation("Things were asked for in a trace.");
                });
                app.MapGet("/broken/{id:int}", (int id) => { throw new InvalidOperationException($"{id}"); });
                use?.Invoke(app);
            });
    }

    [ProviderAlias("Capturing")]
    private sealed class CapturingLoggerProvider : ILoggerProvider
    {
        public ConcurrentQueue<string> Lines { get; } = new();

        public ILogger CreateLogger(string categoryName) => new CapturingLogger(categoryName, Lines);

        public void Dispose()
        {
        }

        private sealed class CapturingLogger(string category, ConcurrentQueue<string> lines) : ILogger
        {
            public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

            public bool IsEnabled(LogLevel logLevel) => true;

            public void Log<TState>(
                LogLevel level, EventId id, TState state, Exception? exception, Func<TState, Exception?, string> format) =>
                lines.Enqueue($"{category}: {format(state, exception)}");
        }
    }
}
