using System.ComponentModel.DataAnnotations;

namespace Ariya.Worker.Cleanup;

/// <summary>When rows that nobody needs any more are removed.</summary>
internal sealed class CleanupOptions
{
    public const string Section = "Cleanup";

    /// <summary>A crontab line of five fields: minute, hour, day of the month, month, day of the week.</summary>
    public string Schedule { get; set; } = "0 2 * * *";

    /// <summary>The time zone that the schedule means: <c>UTC</c> or a name such as <c>Europe/Berlin</c>.</summary>
    public string TimeZone { get; set; } = "UTC";

    /// <summary>Rows removed in one transaction at most: fewer where that takes longer than a tenth of a second.</summary>
    [Range(1, 100_000)]
    public int BatchSize { get; set; } = 10_000;
}
