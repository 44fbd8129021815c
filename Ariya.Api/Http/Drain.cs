using System.ComponentModel.DataAnnotations;
using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Diagnostics.HealthChecks;
using Microsoft.Extensions.Options;

namespace Ariya.Api.Http;

internal sealed class ShutdownOptions
{
    public const string Section = "Shutdown";

    /// <summary>How long requests are still taken after the program was asked to end. Not set: 5 s, in Development none.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "00:00:15")]
    public TimeSpan? DrainDelay { get; set; }
}

/// <summary>
/// Asked to end, the program first says that it is not ready and goes on serving, until whoever sends it requests has noticed; then it takes
/// no more, finishes what is in flight and ends. Nor is it ready before everything has started: it listens beside that, not after it.
/// </summary>
internal sealed class Drain(IOptions<ShutdownOptions> options, IHostEnvironment environment, IHostApplicationLifetime lifetime, TimeProvider clock)
    : IHostedLifecycleService, IHealthCheck
{
    // The delay and what is in flight after it; what telemetry still holds takes 2 s more. Below the half minute after which orchestrators kill.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(23);
    private static readonly TimeSpan s_delay = TimeSpan.FromSeconds(5);

    private volatile bool _isEnding;

    public static void AddTo(IHostApplicationBuilder builder)
    {
        builder.AddSettings<ShutdownOptions>(ShutdownOptions.Section);
        builder.Services.Configure<HostOptions>(host => host.ShutdownTimeout = s_longest);
        builder.Services.AddSingleton<Drain>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Drain>());
        builder.Services.AddHealthChecks().AddCheck<Drain>("ending");
    }

    public async Task StoppingAsync(CancellationToken cancellationToken)
    {
        _isEnding = true;
        var delay = options.Value.DrainDelay ?? (environment.IsDevelopment() ? TimeSpan.Zero : s_delay);
        await Task.Delay(delay, clock, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
    }

    public Task<HealthCheckResult> CheckHealthAsync(HealthCheckContext context, CancellationToken cancellationToken = default) =>
        Task.FromResult(_isEnding ? HealthCheckResult.Unhealthy("The program ends.")
            : lifetime.ApplicationStarted.IsCancellationRequested ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("The program starts."));

    public Task StartingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
