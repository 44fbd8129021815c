using Cronos;

namespace Ariya.Worker.Cleanup;

internal static class CleanupRegistration
{
    /// <summary>What a run needs, for the schedule and for commands.</summary>
    public static void AddCleanup(this IHostApplicationBuilder builder)
    {
        builder.Services.AddOptions<RetentionOptions>().BindConfiguration(RetentionOptions.Section).ValidateDataAnnotations().ValidateOnStart();
        builder.Services.AddOptions<CleanupOptions>().BindConfiguration(CleanupOptions.Section).ValidateDataAnnotations().ValidateOnStart()
            .Validate(IsSchedule, "Cleanup:Schedule must be a crontab line of five fields, such as '0 2 * * *'")
            .Validate(IsTimeZone, "Cleanup:TimeZone must be UTC or the name of a time zone, such as 'Europe/Berlin'");
        builder.Services.AddScoped<CleanupRun>();
    }

    private static bool IsSchedule(CleanupOptions options) => CronExpression.TryParse(options.Schedule, CronFormat.Standard, out _);

    private static bool IsTimeZone(CleanupOptions options) => TimeZoneInfo.TryFindSystemTimeZoneById(options.TimeZone, out _);
}
