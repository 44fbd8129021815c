namespace Ariya.Api.Health;

internal static class GetHealth
{
    /// <summary>200 while requests are served, also when something behind them is away; 503 without the database.</summary>
    public static async Task<IResult> HandleAsync(HealthProbe probe, CancellationToken cancellationToken)
    {
        var checks = await probe.CurrentAsync(cancellationToken);
        return TypedResults.Json(
            new HealthResponse(checks.Status, (long)probe.Uptime.TotalSeconds, Environment.WorkingSet, checks),
            statusCode: checks.Status == HealthStates.Unhealthy ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK);
    }

    public static void AddHealthReport(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<HealthProbe>();
        builder.Services.AddHostedService(services => services.GetRequiredService<HealthProbe>());
    }
}
