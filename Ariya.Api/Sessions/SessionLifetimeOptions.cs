using System.ComponentModel.DataAnnotations;

namespace Ariya.Api.Sessions;

/// <summary>How long sign-ins last.</summary>
internal sealed class SessionLifetimeOptions
{
    public const string Section = "Sessions";

    /// <summary>Life of an access token.</summary>
    [Range(typeof(TimeSpan), "00:01:00", "01:00:00")]
    public TimeSpan AccessTokenLifetime { get; set; } = TimeSpan.FromMinutes(10);

    /// <summary>A session that is not refreshed for this long is over.</summary>
    [Range(typeof(TimeSpan), "00:10:00", "30.00:00:00")]
    public TimeSpan IdleLifetime { get; set; } = TimeSpan.FromDays(14);

    /// <summary>A session is over after this, however often it is used (NIST SP 800-63B-4 section 2.1.3: at most 30 days).</summary>
    [Range(typeof(TimeSpan), "00:10:00", "30.00:00:00")]
    public TimeSpan AbsoluteLifetime { get; set; } = TimeSpan.FromDays(30);
}
