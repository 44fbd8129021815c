using Ariya.Data;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ariya.Worker.Cleanup;

/// <summary>What a step has removed so far.</summary>
internal sealed record CleanupProgress(string Step, long Removed, bool IsDone);

/// <summary>
/// Goes through steps batch by batch, each batch its own short transaction. Several at once share the work, and one that is cut short
/// has lost nothing.
/// </summary>
internal sealed class CleanupRun(AriyaDatabase db, TimeProvider clock, IOptions<CleanupOptions> options)
{
    // A batch holds its rows, and keeps back what vacuum may remove, until it ends: rows are not equally dear, nor are disks.
    private static readonly TimeSpan s_aim = TimeSpan.FromMilliseconds(100);
    private const int FirstBatch = 1000;
    private const int LeastBatch = 100;

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
            var (removed, from, size, isDone) = (0L, DateTimeOffset.UnixEpoch, AtMost(FirstBatch), false);
            while (!isDone)
            {
                var started = clock.GetTimestamp();
                try
                {
                    var (count, last) = await db.QueryFirstAsync(
                        step.Batch(from, size), row => (row.GetInt64(0), row.IsDBNull(1) ? null : row.GetFieldValue<DateTimeOffset?>(1)), cancellationToken);
                    isDone = count < size;
                    from = last ?? from;
                    removed += count;
                    size = NextSize(size, clock.GetElapsedTime(started));
                }
                catch (PostgresException tooLong) when (tooLong.SqlState == PostgresErrorCodes.QueryCanceled && size > LeastBatch)
                {
                    // It was undone, and the run would end here every night.
                    size = Math.Max(LeastBatch, size / 2);
                }

                await told(new CleanupProgress(step.Name, removed, isDone));
            }

            total += removed;
        }

        return total;
    }

    private int NextSize(int size, TimeSpan took) =>
        AtMost(Math.Max(LeastBatch, (int)(size * Math.Clamp(s_aim / took, 0.5, 2))));

    private int AtMost(int size) => Math.Min(size, options.Value.BatchSize);
}
