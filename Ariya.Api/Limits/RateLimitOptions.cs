using System.ComponentModel.DataAnnotations;

namespace Ariya.Api.Limits;

/// <summary>How many requests are admitted within a window. Zero permits: that limit is off.</summary>
internal sealed class RateLimitOptions
{
    public const string Section = "RateLimits";

    // Counts are kept in memory, here and in Redis.
    private const string Shortest = "00:00:00.001";
    private const string Longest = "31.00:00:00";

    /// <summary>Tries of one network at one account: sign-in, reset, change of password, code.</summary>
    [Range(0, int.MaxValue)]
    public int AuthPermits { get; set; } = 5;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan AuthWindow { get; set; } = TimeSpan.FromMinutes(15);

    /// <summary>Requests of one network to one account in the same window, successful ones too.</summary>
    [Range(0, int.MaxValue)]
    public int AuthTotalPermits { get; set; } = 300;

    /// <summary>Failed tries of one IPv4 address or IPv6 /64, at whatever account; a /24 or /48 may make <see cref="WideNetworkFactor"/> times as many.</summary>
    [Range(0, int.MaxValue)]
    public int NetworkPermits { get; set; } = 100;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan NetworkWindow { get; set; } = TimeSpan.FromMinutes(15);
    [Range(0, int.MaxValue)]
    public int NetworkDayPermits { get; set; } = 500;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan NetworkDayWindow { get; set; } = TimeSpan.FromHours(24);
    [Range(1, 10_000)]
    public int WideNetworkFactor { get; set; } = 10;

    /// <summary>Requests for a mail: of one network, and for one address.</summary>
    [Range(0, int.MaxValue)]
    public int MailPermits { get; set; } = 10;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan MailWindow { get; set; } = TimeSpan.FromMinutes(1);
    [Range(0, int.MaxValue)]
    public int AddressPermits { get; set; } = 5;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan AddressWindow { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Exchanges and sign-outs of one network.</summary>
    [Range(0, int.MaxValue)]
    public int RefreshPermits { get; set; } = 150;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan RefreshWindow { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>Everything else under /api/v1, of one account; without a sign-in, of one network.</summary>
    [Range(0, int.MaxValue)]
    public int ApiPermits { get; set; } = 100;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan ApiWindow { get; set; } = TimeSpan.FromHours(1);

    /// <summary>Pictures of one account.</summary>
    [Range(0, int.MaxValue)]
    public int UploadPermits { get; set; } = 10;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan UploadWindow { get; set; } = TimeSpan.FromHours(1);

    /// <summary>What one operator does, or somebody tries who is none.</summary>
    [Range(0, int.MaxValue)]
    public int AdminPermits { get; set; } = 300;
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan AdminWindow { get; set; } = TimeSpan.FromMinutes(15);
}
