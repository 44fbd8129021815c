using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Measuring;
using Ariya.Benchmarks.Scenarios;

namespace Ariya.Benchmarks;

/// <summary>
/// dotnet run -c Release --project Ariya.Benchmarks -- quick | full | trial [scenario …] [--out FOLDER]. docs/performance.md tells the method and the figures.
/// </summary>
internal static class Benchmark
{
    private static readonly Dictionary<string, Func<Bench, Task>> s_scenarios = new()
    {
        ["sign-in"] = SignIn.RunAsync,
        ["registration"] = Registration.RunAsync,
        ["refresh"] = Refresh.RunAsync,
        ["read-account"] = ReadAccount.RunAsync,
        ["limiter"] = Limiter.RunAsync,
        ["mail-network"] = MailDrain.OverNetworkAsync,
        ["mail-drain"] = MailDrain.RunAsync,
        ["wake-up"] = WakeUp.RunAsync,
        ["clean-up"] = CleanUp.RunAsync,
        ["start-up"] = StartUp.RunAsync,
        ["memory"] = bench => bench.Effort == Effort.Full ? Memory.RunAsync(bench, 10_000, 1_000_000) : Memory.RunAsync(bench, bench.Effort.Accounts / 10, bench.Effort.Accounts),
        ["growth"] = bench => bench.Effort == Effort.Full ? Growth.RunAsync(bench, (100_000, 0.90), (1_000_000, 0.85)) : Growth.RunAsync(bench, (bench.Effort.Accounts, 0.90)),
        // Half an hour of loading and 30 GB: by name only.
        ["growth-10m"] = bench => Growth.RunAsync(bench, (10_000_000, 0.85)),
    };

    private static async Task<int> Main(string[] args)
    {
        var efforts = new[] { Effort.Quick, Effort.Full, Effort.Trial }.ToDictionary(effort => effort.Name);
        var folder = Array.IndexOf(args, "--out") is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
        string[] words = [.. args.Where((word, index) => word != "--out" && (index == 0 || args[index - 1] != "--out"))];
        if (!OperatingSystem.IsLinux() || words.Length == 0 || !efforts.TryGetValue(words[0], out var effort) || words.Skip(1).FirstOrDefault(word => !s_scenarios.ContainsKey(word)) is not null)
        {
            await Console.Error.WriteLineAsync($"Runs on Linux: {string.Join(" | ", efforts.Keys)} [scenario …] [--out FOLDER]. Scenarios: {string.Join(", ", s_scenarios.Keys)}.");
            return 2;
        }

        if (AppContext.BaseDirectory.Contains($"{Path.DirectorySeparatorChar}Debug{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
        {
            await Console.Error.WriteLineAsync("Built for debugging: run it with -c Release.");
            return 2;
        }

        // Asked to end, it goes without a report, and takes its servers and their data with it.
        var isAsked = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, End);
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, End);
        var started = Stopwatch.GetTimestamp();
        var report = new Report(folder ?? Path.Combine(Path.GetTempPath(), string.Create(CultureInfo.InvariantCulture, $"ariya-benchmarks-{effort.Name}-{TimeProvider.System.GetUtcNow():yyyyMMdd-HHmmss}")));
        await using var programs = new Programs();
        await programs.BuildAsync();
        Console.WriteLine("Starting the servers …");
        await using var servers = new Servers();
        await servers.StartAsync();
        var bench = new Bench(servers, programs, effort, report);
        var chosen = words.Length > 1 ? words[1..] : [.. s_scenarios.Keys.Where(name => name != "growth-10m")];
        if (!chosen.Contains("growth-10m"))
        {
            report.NotRun("10 million accounts", "on demand, as growth-10m");
        }

        foreach (var name in chosen)
        {
            try
            {
                var scenario = s_scenarios[name](bench);
                if (await Task.WhenAny(scenario, isAsked.Task) != scenario)
                {
                    return 1;
                }

                await scenario;
            }
            catch (Exception exception)
            {
                // What the others found is not lost with it.
                report.Broke(name, exception);
            }
        }

        var path = report.Write(await ConditionsAsync(bench, Stopwatch.GetElapsedTime(started)));
        Console.WriteLine($"\n{await File.ReadAllTextAsync(path)}\n{path}");
        return report.IsVoid || report.HasFailed ? 1 : 0;

        void End(PosixSignalContext signal)
        {
            signal.Cancel = true;
            isAsked.TrySetResult();
        }
    }

    private static async Task<IReadOnlyList<string>> ConditionsAsync(Bench bench, TimeSpan took)
    {
        await using var database = new Database(await bench.Servers.CreateEmptyDatabaseAsync("conditions"));
        var settings = await database.ScalarAsync<string>(
            """
            select string_agg(name || '=' || current_setting(name), ', ' order by name) from pg_settings
            where name in ('fsync', 'synchronous_commit', 'full_page_writes', 'autovacuum', 'shared_buffers', 'max_wal_size')
            """);
        var commit = (await Tool.RunAsync("git", ["describe", "--always", "--dirty", "--abbrev=10"], folder: Programs.Checkout)).Trim();
        var model = (await File.ReadAllLinesAsync("/proc/cpuinfo")).FirstOrDefault(line => line.StartsWith("model name", StringComparison.Ordinal))?.Split(':')[1].Trim();
        return
        [
            $"Commit {commit}, {bench.Effort.Name} run, {TimeProvider.System.GetUtcNow():yyyy-MM-dd}, {took.TotalMinutes:0} minutes; {bench.Effort.Rounds} rounds of four slices of {bench.Effort.Length.TotalSeconds:0.#} s, with hashes and mails {bench.Effort.LongRounds} of {bench.Effort.LongLength.TotalSeconds:0.#} s, twice as many where open; {bench.Effort.Accounts:N0} accounts",
            $"{model}, {Environment.ProcessorCount} cores for everything: the load, the programs and the servers; {RuntimeInformation.OSDescription}; load average at the end {(await File.ReadAllTextAsync("/proc/loadavg")).Split(' ')[0]}",
            $".NET {Environment.Version}, PostgreSQL {await database.ScalarAsync<string>("show server_version")} ({settings}), {(await Tool.RunAsync(Tool.Require("redis-server", "redis-server"), ["--version"])).Split(" sha")[0]}, {await Pgbench.VersionAsync()}",
            "Limits are off but where the table says otherwise; API and worker are as built with -c Release, in Production, their logs read and thrown away",
        ];
    }
}
