using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Ariya.Chaos;
using Npgsql;

// Starts the whole application, puts load on it, breaks it in every way, and judges afterwards.
// dotnet run --project Ariya.Chaos -- [--minutes N] [--seed S] [--people P] [--history PATH]
//   --calm: nothing is broken; memory and open files are watched
//   --enumeration [--count N]: whether the time of an answer tells who has an account
//   --shutdown [--rounds N] [--drain SECONDS]: whether a request is dropped when instances are asked to end
string[] known = ["--minutes", "--seed", "--people", "--history", "--count", "--calm", "--enumeration", "--shutdown", "--rounds", "--drain"];
if (!OperatingSystem.IsLinux() || args.Any(arg => arg.StartsWith("--", StringComparison.Ordinal) && !known.Contains(arg)))
{
    Console.Error.WriteLine($"Runs on Linux, and takes: {string.Join(", ", known)}. docs/chaos.md has the rest.");
    return 2;
}

var isCalm = args.Contains("--calm");
var minutes = double.Parse(Option("minutes", "5"), CultureInfo.InvariantCulture);
var seed = long.Parse(Option("seed", "1"), CultureInfo.InvariantCulture);
var people = int.Parse(Option("people", "16"), CultureInfo.InvariantCulture);
using var history = new History(Option("history", Path.Combine(Directory.CreateTempSubdirectory("ariya-chaos").FullName, "history.jsonl")));
Console.WriteLine($"History: {history.Path}");

using var stop = new CancellationTokenSource();
Console.CancelKeyPress += (_, pressed) =>
{
    // Once: what was done so far is judged. Twice: away.
    pressed.Cancel = !stop.IsCancellationRequested;
    stop.Cancel();
};

await using var sink = new Sink(history);
var isShutdown = args.Contains("--shutdown");
await using var ensemble = new Ensemble
{
    // What the product itself waits in Production, or what is asked for.
    DrainDelay = TimeSpan.FromSeconds(isShutdown ? double.Parse(Option("drain", "5"), CultureInfo.InvariantCulture) : Ensemble.Drain),
};
Console.WriteLine("Starting the application …");
await ensemble.StartAsync(sink.Port);
using var caller = new Caller(history, ("api", ensemble.AddressOf("api")), ("api2", ensemble.AddressOf("api2")));
if (args.Contains("--enumeration"))
{
    return await Enumeration.RunAsync(ensemble, sink, seed, int.Parse(Option("count", "2000"), CultureInfo.InvariantCulture), stop.Token) ? 0 : 1;
}

if (isShutdown)
{
    using var shutdown = new Shutdown(ensemble);
    return await shutdown.RunAsync(int.Parse(Option("rounds", "30"), CultureInfo.InvariantCulture), people, stop.Token) ? 0 : 1;
}

stop.CancelAfter(TimeSpan.FromMinutes(minutes));
var began = history.Now;

var nemesis = new Nemesis(seed, ensemble, sink, caller, history, stop.Token);
Task[] load =
[
    .. Enumerable.Range(0, people).Select(number => new Person(number, seed, caller, sink, history, stop.Token).LiveAsync()),
    .. Enumerable.Range(0, 4).Select(number => new Pest(number / 2, number % 2, caller, stop.Token).AskAsync()),
];
var soak = new Soak(["api", "api2", "worker", "worker2"], Processes.Holding);
var rage = isCalm ? Task.CompletedTask : nemesis.RageAsync();
await ProgressAsync();
await Task.WhenAll([rage, .. load]);
var loadEnded = history.Now;
Console.WriteLine("Everything is repaired; waiting for the outbox …");
await DrainAsync();

var story = new Story(history.Entries());
var copies = sink.Copies();
Console.WriteLine("Judging …");
var verdict = await new Checker(story, copies, ensemble.Database, caller).JudgeAsync();
new FaultFigures(story, copies, loadEnded, verdict).Add();
if (isCalm)
{
    soak.AddTo(verdict);
}

await AfterwardsAsync();
await ReportAsync();
return verdict.IsGood ? 0 : 1;

string Option(string name, string usual)
{
    var at = Array.IndexOf(args, $"--{name}");
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : usual;
}

async Task ProgressAsync()
{
    // Until the load has ended: a program that fails is not waited for.
    while (!stop.IsCancellationRequested && !rage.IsFaulted && !load.Any(task => task.IsFaulted))
    {
        await Task.Delay(TimeSpan.FromSeconds(5), stop.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        var (ok, refused) = (history.Count(Entry.Ok), history.Count(Entry.Fail));
        var (unknown, violations) = (history.Count(Entry.Unknown), history.Count(Entry.Violation));
        if (isCalm)
        {
            soak.Look();
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{history.Now - began,6:0} s  ok {ok}, refused {refused}, unknown {unknown}, violations {violations}, mails {sink.Count}  {nemesis.Current}"));
    }

    await stop.CancelAsync();
}

async Task DrainAsync()
{
    await using var source = NpgsqlDataSource.Create(ensemble.Database);
    // How long a mail waits between tries is not what is judged here.
    await using var hurry = source.CreateCommand("update outbox_messages set due_at = clock_timestamp() where state = 'retry'");
    await hurry.ExecuteNonQueryAsync();
    for (var waited = Stopwatch.StartNew(); waited.Elapsed < TimeSpan.FromMinutes(2); await Task.Delay(TimeSpan.FromSeconds(2)))
    {
        await using var command = source.CreateCommand("select count(*) from outbox_messages where state in ('pending', 'leased', 'retry')");
        var left = (long)(await command.ExecuteScalarAsync())!;
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {waited.Elapsed.TotalSeconds:0} s: {left} mails left"));
        if (left == 0)
        {
            return;
        }
    }
}

async Task AfterwardsAsync()
{
    try
    {
        foreach (var name in new[] { "api", "api2", "worker", "worker2", "cache" })
        {
            Processes.Of(name);
        }

        var audit = await Processes.WorkerAsync("verify-audit");
        verdict.Figure($"audit: {audit.Output.ReplaceLineEndings(" ")}");
        if (loadEnded - began > 240 && audit.Output.Contains("0 events under 0 seals", StringComparison.Ordinal))
        {
            verdict.Violate($"nothing of the audit was sealed");
        }

        if (audit.ExitCode != 0)
        {
            verdict.Violate($"verify-audit ended with {audit.ExitCode}");
        }
    }
    catch (InvalidOperationException exception)
    {
        verdict.Violate($"{exception.Message}");
    }
}

async Task ReportAsync()
{
    await using var source = NpgsqlDataSource.Create(ensemble.Database);
    await using var command = source.CreateCommand("show server_version");
    var version = await command.ExecuteScalarAsync();
    Console.WriteLine();
    var product = typeof(Projects.Ariya_AppHost).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion;
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"seed {seed}, {(loadEnded - began) / 60:0.0} minutes, {people} people, 2 API instances, 2 workers, {story.Troubles.Count} faults"));
    Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"Ariya {product}, .NET {Environment.Version}, PostgreSQL {version}, {Environment.ProcessorCount} cores"));
    verdict.Figures.ForEach(Console.WriteLine);
    List("lost", verdict.Lost);
    List("over-admitted", verdict.OverAdmitted);
    List("violations", verdict.Violations);
    Console.WriteLine($"history: {history.Path}");
}

static void List(string name, List<string> found)
{
    Console.WriteLine($"{name}: {found.Count}");
    found.Take(20).ToList().ForEach(one => Console.WriteLine($"  {one}"));
}
