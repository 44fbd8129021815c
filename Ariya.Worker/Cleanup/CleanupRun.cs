using Ariya.Data;
using Microsoft.Extensions.Options;

namespace Ariya.Worker.Cleanup;

/// <summary>What a step has removed so far.</summary>
internal sealed record CleanupProgress(string Step, long Removed, bool IsDone);

/// <summary>
/// Goes through steps batch by batch, each batch its own short transaction. Several at once share the work, and one that is cut short
/// has lost nothing.
/// </summary>
internal sealed class CleanupRun(AriyaDbContext db, IOptions<CleanupOptions> options)
{
    /// <param name="steps">Of <see cref="CleanupSteps"/>.</param>
    /// <param name="told">Called after every batch.</param>
    /// <param name="cancellationToken">Ends it after the batch at hand.</param>
    /// <returns>How many rows were removed.</returns>
    public async Task<long> RunAsync(
        IEnumerable<CleanupStep> steps, Func<CleanupProgress, Task> told, CancellationToken cancellationToken)
    {
        var total = 0L;
        foreach (var step in steps)
        {
            var (removed, count, from) = (0L, 0L, DateTimeOffset.UnixEpoch);
            do
            {
                (count, var last) = await db.QueryFirstAsync(
                    step.Batch(from, options.Value.BatchSize),
                    row => (row.GetInt64(0), row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset?>(1)), cancellationToken);
                from = last ?? from;
                removed += count;
                await told(new CleanupProgress(step.Name, removed, count < options.Value.BatchSize));
            }
            while (count == options.Value.BatchSize);
            total += removed;
        }

        return total;
    }
}
