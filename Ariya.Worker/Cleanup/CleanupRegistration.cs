using Ariya.ServiceDefaults.Settings;
using Cronos;

namespace Ariya.Worker.Cleanup;

internal static class CleanupRegistration
{
    /// <summary>What a run needs, for the schedule and for commands.</summary>
    public static void AddCleanup(this IHostApplicationBuilder builder)
    {
        builder.AddSettings<RetentionOptions>(RetentionOptions.Section);
        var cleanup = builder.AddSettings<CleanupOptions>(CleanupOptions.Section);
        if (!CronExpression.TryParse(cleanup.Schedule, CronFormat.Standard, out _))
        {
            builder.AddWrongSetting("Cleanup__Schedule must be a crontab line of five fields, such as '0 2 * * *'");
        }

        if (!TimeZoneInfo.TryFindSystemTimeZoneById(cleanup.TimeZone, out _))
        {
            builder.AddWrongSetting("Cleanup__TimeZone must be UTC or the name of a time zone, such as 'Europe/Berlin'");
        }

        builder.Services.AddScoped<CleanupRun>();
    }
}
