using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Outbox;

/// <summary>A sign of life of one worker, and how it finds the mail relay. Times are the database's.</summary>
public sealed class WorkerHeartbeat
{
    public required Guid WorkerId { get; init; }
    public DateTimeOffset At { get; set; }

    /// <summary>One of <see cref="RelayStates"/>.</summary>
    public required string RelayState { get; set; }

    /// <summary>How long the relay's last answer took; null if it never answered this worker.</summary>
    public int? RelayLatencyMs { get; set; }

    /// <summary>When the relay last answered this worker.</summary>
    public DateTimeOffset? RelayContactAt { get; set; }
}

/// <summary>How a worker finds the mail relay.</summary>
public static class RelayStates
{
    public const string Answers = "answers";
    public const string Away = "away";
}

internal sealed class WorkerHeartbeatConfiguration : IEntityTypeConfiguration<WorkerHeartbeat>
{
    public void Configure(EntityTypeBuilder<WorkerHeartbeat> builder)
    {
        builder.HasKey(heartbeat => heartbeat.WorkerId);
        builder.Property(heartbeat => heartbeat.At).HasDefaultValueSql("clock_timestamp()");
        builder.ToTable(table => table.HasCheckConstraint("ck_worker_heartbeats_relay_state", "relay_state in ('answers', 'away')"));
    }
}
