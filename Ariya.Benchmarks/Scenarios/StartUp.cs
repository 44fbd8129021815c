using System.Diagnostics;
using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>From the start of the process to the first answer: the API's says that its database is there and migrated. Against a bare endpoint.</summary>
internal static class StartUp
{
    public static async Task RunAsync(Bench bench)
    {
        await using var database = new Database(await bench.Servers.CreateDatabaseAsync("start_up"));
        var ours = new Side("API, /health", _ => TimedAsync(() => bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis)));
        var bare = new Side("bare endpoint", _ => TimedAsync(() => bench.Programs.StartPeerAsync(bench.Programs.Bare, "/account")));
        var found = await new Comparison("Start-up, as starts", ours, bare) { Target = 1 / 1.6, Unit = "starts", Rounds = bench.Effort.Starts, Length = TimeSpan.FromSeconds(1) }.RunAsync();
        bench.Report.Add(found);
        bench.Report.Note(string.Create(CultureInfo.InvariantCulture,
            $"Start-up: {1000 / found.FirstRate:0} ms, the bare endpoint {1000 / found.SecondRate:0} ms: {1 / found.Ratio.Median:0.00} times as long (at most 1.6)"));
    }

    private static async Task<double> TimedAsync(Func<Task<RunningProgram>> start)
    {
        var started = Stopwatch.GetTimestamp();
        await using var program = await start();
        return 1 / Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
