using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Schedules;

/// <summary>How far a schedule was followed, so that a run that was missed is made up and several workers make one run.</summary>
public sealed class ScheduledRun
{
    public const string Cleanup = "cleanup";

    public required string Name { get; init; }

    /// <summary>Every moment of the schedule up to this one is dealt with.</summary>
    public DateTimeOffset DoneUntil { get; set; }

    /// <summary>A worker is at it until then, if it does not say otherwise.</summary>
    public DateTimeOffset? LeaseUntil { get; set; }

    public DateTimeOffset? FinishedAt { get; set; }

    /// <summary>What the last run removed.</summary>
    public long Removed { get; set; }

    /// <summary>The same by step, as JSON: how many rows under the name of each step that removed any.</summary>
    public string RemovedBySteps { get; set; } = "{}";

    /// <summary>Somebody asked for a run beside the schedule, and none has begun since.</summary>
    public DateTimeOffset? RequestedAt { get; set; }
}

internal sealed class ScheduledRunConfiguration : IEntityTypeConfiguration<ScheduledRun>
{
    public void Configure(EntityTypeBuilder<ScheduledRun> builder)
    {
        builder.HasKey(run => run.Name);
        builder.Property(run => run.Removed).HasDefaultValue(0L);
        builder.Property(run => run.RemovedBySteps).HasColumnType("jsonb").HasDefaultValueSql("'{}'");
    }
}
