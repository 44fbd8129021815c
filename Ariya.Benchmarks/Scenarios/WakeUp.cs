using System.Diagnostics;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>
/// From a mail's row to its content at the relay, while registrations come at a steady rate whatever the answers do (an open loop). The row's own time is the
/// database's, before the commit; both clocks are one machine's.
/// </summary>
internal static class WakeUp
{
    private const int Connections = 32;

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("wake_up");
        await using var sink = new MailSink();
        await using var worker = await bench.Programs.StartWorkerAsync(database, sink.Port);
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.ApiWithCheapHashes, database, bench.Servers.Redis);
        var seconds = bench.Effort.LongLength * bench.Effort.LongRounds / 2;
        // Both programs compile themselves anew while they are used.
        await OfferAsync(api.Port, sink, 300, TimeSpan.FromSeconds(10));
        foreach (var rate in new[] { 50, 300 })
        {
            var sent = await OfferAsync(api.Port, sink, rate, seconds);
            var taken = sink.Taken();
            var waits = new List<double>();
            await foreach (var (mail, at) in database.MailsSinceAsync(sent.Since))
            {
                waits.Add((taken[mail] - at).TotalMilliseconds);
            }

            if (waits.Count != sent.Count || sink.Doubles > 0)
            {
                throw new WrongWorkException($"{sent.Count} registrations, {waits.Count} mails, {sink.Doubles} twice.");
            }

            bench.Report.Add(new Reading($"Wake-up at {rate} a second, p50", Statistics.Median(waits), 10, "ms"));
            bench.Report.Add(new Reading($"Wake-up at {rate} a second, p95", Statistics.Percentile(waits, 0.95), 40, "ms"));
        }
    }

    private static async Task<(int Count, DateTimeOffset Since)> OfferAsync(int port, MailSink sink, int rate, TimeSpan length)
    {
        var count = (int)(rate * length.TotalSeconds);
        var all = sink.ExpectAsync(count);
        var since = TimeProvider.System.GetUtcNow();
        var connections = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => HttpConnection.OpenAsync(port)));
        var started = Stopwatch.GetTimestamp();
        var next = -1;
        await Task.WhenAll(connections.Select(connection => Task.Run(async () =>
        {
            using var owned = connection;
            for (var n = Interlocked.Increment(ref next); n < count; n = Interlocked.Increment(ref next))
            {
                var due = TimeSpan.FromSeconds(n / (double)rate) - Stopwatch.GetElapsedTime(started);
                if (due > TimeSpan.Zero)
                {
                    await Task.Delay(due);
                }

                ClosedLoop.Expect(202, await connection.SendAsync(Registration.Next()));
            }
        })));
        await all.WaitAsync(TimeSpan.FromSeconds(30));
        return (count, since);
    }
}
