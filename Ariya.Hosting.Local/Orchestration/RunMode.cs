using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

internal static class RunMode
{
    /// <summary>The setting by which Aspire's testing builder asks for ports of its own.</summary>
    public const string RandomizePorts = "DcpPublisher:RandomizePorts";

    public static bool IsTesting(IConfiguration configuration) => configuration.GetValue(RandomizePorts, false);
}

/// <summary>Why the host gives up: printed by <c>Run</c>, which then exits with code 1.</summary>
internal sealed class RunFailure
{
    public string? Message { get; set; }
}
