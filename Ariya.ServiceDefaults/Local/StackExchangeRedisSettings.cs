namespace Aspire.StackExchange.Redis;

/// <summary>The settings of the Aspire client integration of the same name.</summary>
public sealed class StackExchangeRedisSettings
{
    public string? ConnectionString { get; set; }
    public bool DisableHealthChecks { get; set; }
    public bool DisableTracing { get; set; }
    public bool DisableAutoActivation { get; set; } = true;
}
