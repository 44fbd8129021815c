using System.Diagnostics;
using System.Globalization;
using Ariya.Api.Limits;
using Ariya.Api.Redis;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Measuring;
using Ariya.Chaos;
using Ariya.Hosting.Local.Processes;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;
using StackExchange.Redis;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>
/// Requests judged by three limits at once, each over a hundred thousand keys, by the product's limiter in this process; against redis-benchmark that calls
/// the same script. And whether a limit that everybody asks for at once admits what it says.
/// </summary>
internal static class Limiter
{
    private const int Callers = 32;
    private const int Keys = 100_000;
    private const int Permits = 1000;
    private static readonly TimeSpan s_window = TimeSpan.FromMinutes(1);
    private static readonly string[] s_policies = ["account", "host", "network"];

    public static async Task RunAsync(Bench bench)
    {
        var port = Ports.Pick();
        // Its own: the one of the application keeps 64 MB.
        await using var server = await bench.Programs.StartAsync(
            Tool.Require("redis-server", "redis-server"), ["--port", Invariant(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"], "/", port);
        await CompareAsync(bench, port);
    }

    private static async Task CompareAsync(Bench bench, int port)
    {
        var options = new ConfigurationOptions { EndPoints = { { "127.0.0.1", port } }, AllowAdmin = true };
        // A slow machine is not a Redis that is away.
        RedisCalls.Configure(options, TimeSpan.FromSeconds(1));
        options.AbortOnConnectFail = true;
        options.ConnectRetry = 10;
        await using var multiplexer = await ConnectionMultiplexer.ConnectAsync(options);
        var admin = multiplexer.GetServer("127.0.0.1", port);
        await using var services = new ServiceCollection().AddLogging().AddMetrics().AddSingleton<IConnectionMultiplexer>(multiplexer).BuildServiceProvider();
        var calls = new RedisCalls(services, Options.Create(new RedisOptions { Patience = TimeSpan.FromSeconds(1) }), TimeProvider.System, services.GetRequiredService<ILogger<RedisCalls>>());
        await calls.StartAsync(CancellationToken.None);
        var limiter = new RateLimiter(new LocalCounter(TimeProvider.System), new SharedCounter(calls, TimeProvider.System),
            new LimitMetrics(services.GetRequiredService<System.Diagnostics.Metrics.IMeterFactory>()));
        await AdmitsWhatItSaysAsync(bench, limiter);

        var draws = Enumerable.Range(0, Callers).Select(caller => Seeded.For(1, caller)).ToArray();
        var ours = new Side("limiter", async length =>
        {
            var started = Stopwatch.GetTimestamp();
            var counts = await Task.WhenAll(Enumerable.Range(0, Callers).Select(caller => Task.Run(async () =>
            {
                var count = 0;
                for (; Stopwatch.GetElapsedTime(started) < length; count++)
                {
                    var buckets = s_policies.Select(policy => OfKey(policy, draws[caller].Next(Keys))).ToArray();
                    if (await limiter.SpendAsync(buckets) is not { IsAdmitted: true, Everywhere: not null })
                    {
                        throw new WrongWorkException("A request was refused, or Redis was not asked.");
                    }
                }

                return count;
            })));
            return counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
        });

        var hash = Convert.ToHexStringLower(await admin.ScriptLoadAsync(SharedCounter.JudgeScript));
        var program = await bench.Programs.StartAsync(
            Tool.Require("redis-benchmark", "redis-tools"),
            [
                "-p", Invariant(port), "-c", Invariant(Callers), "-n", "2000000000", "-r", Invariant(Keys), "--csv", "EVALSHA", hash, Invariant(s_policies.Length),
                .. s_policies.Select(policy => $"{policy}:__rand_int__"), "spend",
                .. s_policies.SelectMany(_ => (string[])[Invariant(Permits), Invariant((long)s_window.TotalMicroseconds)]), "0",
            ], "/", port: 0);
        await using var paused = await PausedProgram.BeganAsync(program, () => EvaluationsAsync(admin));
        var limit = paused.Side("redis-benchmark, the same script");
        bench.Report.Add(await bench.Compare("Limiter, three limits", ours, limit, 0.60, "checks").RunAsync());
        var bytes = await RedisBytesAsync(admin);
        bench.Report.Note(string.Create(CultureInfo.InvariantCulture, $"Redis: {bytes:0} bytes a key at the end of the limiter's run (the times of the last minute, one to a few dozen a key; at most 150 are wanted of a key with one)"));
    }

    private static async Task AdmitsWhatItSaysAsync(Bench bench, RateLimiter limiter)
    {
        const int Asked = 5000;
        var bucket = new Bucket("hot", "ariya:limit:hot", 100, TimeSpan.FromMinutes(10), true, Counted.Always);
        var receipts = await Task.WhenAll(Enumerable.Range(0, Asked).Select(_ => Task.Run(() => limiter.SpendAsync([bucket]))));
        var admitted = receipts.Count(receipt => receipt.IsAdmitted);
        bench.Report.Note($"Limiter: {admitted} of {Asked} requests at once were admitted by a limit of {bucket.Permits}");
        if (admitted != bucket.Permits)
        {
            throw new WrongWorkException($"A limit of {bucket.Permits} admitted {admitted}.");
        }
    }

    private static Bucket OfKey(string policy, int key) =>
        new(policy, string.Create(CultureInfo.InvariantCulture, $"{policy}:{key:000000000000}"), Permits, s_window, true, Counted.Always);

    /// <summary>Evaluations of a script; one that failed is an error.</summary>
    private static async Task<long> EvaluationsAsync(IServer admin)
    {
        var line = (await admin.InfoAsync("commandstats")).SelectMany(group => group).FirstOrDefault(pair => pair.Key == "cmdstat_evalsha").Value ?? "";
        return Number("failed_calls") + Number("rejected_calls") == 0 ? Number("calls") : throw new WrongWorkException($"Redis refused a script: {line}");

        long Number(string name) => line.Split(',').FirstOrDefault(part => part.StartsWith($"{name}=", StringComparison.Ordinal)) is { } part
            ? long.Parse(part[(name.Length + 1)..], CultureInfo.InvariantCulture)
            : 0;
    }

    private static async Task<double> RedisBytesAsync(IServer admin)
    {
        var used = (await admin.InfoAsync("memory")).SelectMany(group => group).First(pair => pair.Key == "used_memory_dataset").Value;
        return long.Parse(used, CultureInfo.InvariantCulture) / (double)await admin.DatabaseSizeAsync();
    }

    private static string Invariant(long number) => number.ToString(CultureInfo.InvariantCulture);
}
