using System.ComponentModel.DataAnnotations;

namespace Ariya.Worker.Outbox;

/// <summary>How the outbox is worked off.</summary>
internal sealed class OutboxOptions
{
    public const string Section = "Outbox";

    /// <summary>Mails taken in one claim, and written down together; twice as many are held at most.</summary>
    [Range(1, 1000)]
    public int BatchSize { get; set; } = 100;

    /// <summary>
    /// Connections to the relay that send at once. Up to as many again are opened while receivers are slow.
    /// </summary>
    [Range(1, 64)]
    public int Connections { get; set; } = 4;

    /// <summary>Wait before looking again when nobody said that there is something to do.</summary>
    [Range(typeof(TimeSpan), "00:00:00.050", "00:01:00")]
    public TimeSpan PollInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a claim is good without renewal; a crashed worker's mails are taken up after this.</summary>
    [Range(typeof(TimeSpan), "00:00:05", "00:10:00")]
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(60);

    /// <summary>The longest that a relay's answer waits to be written down.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:01")]
    public TimeSpan SettleAfter { get; set; } = TimeSpan.FromMilliseconds(50);

    /// <summary>A receiver's domain is slow from here on: it gets half of the connections at most, and only a few of its mails are held.</summary>
    [Range(typeof(TimeSpan), "00:00:00.500", "00:01:00")]
    public TimeSpan SlowAfter { get; set; } = TimeSpan.FromSeconds(3);
}
