using System.ComponentModel.DataAnnotations;

namespace Ariya.Worker.Outbox;

/// <summary>How the outbox is worked off.</summary>
internal sealed class OutboxOptions
{
    public const string Section = "Outbox";

    /// <summary>Mails taken in one claim.</summary>
    [Range(1, 1000)]
    public int BatchSize { get; set; } = 100;

    /// <summary>Wait before looking again when there was nothing to do.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a claim is good without renewal; a crashed worker's mails are taken up after this.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(60);
}
