using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Ground;

/// <summary>pgbench with a script of the folder Sql: statements one by one, each prepared, or all of a transaction sent together.</summary>
internal sealed partial class Pgbench(Servers servers, Database database, string script, int clients, IReadOnlyDictionary<string, long> variables)
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(3);

    private readonly string _program = Tool.Require("pgbench", "postgresql-contrib");

    /// <summary>Slices that are checked in the database.</summary>
    /// <param name="count">What grows by one with every transaction.</param>
    public Slice Checked(string count) => Bench.Checked(database, count, RunAsync);

    /// <returns>Transactions a second, without the time to connect, and how many.</returns>
    private async Task<(double Rate, long Done)> RunAsync(TimeSpan length)
    {
        var file = Path.Combine(Path.GetTempPath(), $"ariya-{Environment.ProcessId}-{script}.sql");
        await using (var source = Assembly.GetExecutingAssembly().GetManifestResourceStream($"Ariya.Benchmarks.Sql.{script}.sql")!)
        await using (var target = File.Create(file))
        {
            await source.CopyToAsync(target);
        }

        // Whole seconds, and enough of them: its connections are new each time, and plan and fill their caches in the first moments.
        var seconds = (int)Math.Max(s_shortest.TotalSeconds, Math.Ceiling(length.TotalSeconds));
        var output = await Tool.RunAsync(_program,
        [
            "-n", "-M", "prepared", "-j", "1", "-f", file, "-h", "127.0.0.1", "-p", Invariant(servers.Port), "-U", servers.User,
            "-c", Invariant(clients), "-T", Invariant(seconds), .. variables.SelectMany(variable => (string[])["-D", $"{variable.Key}={Invariant(variable.Value)}"]), database.Name,
        ], new Dictionary<string, string> { ["PGPASSWORD"] = servers.Password });
        File.Delete(file);
        if (!NoneFailed().IsMatch(output))
        {
            throw new WrongWorkException($"pgbench had failures:\n{output}");
        }

        return (double.Parse(Tps().Match(output).Groups[1].Value, CultureInfo.InvariantCulture), long.Parse(Processed().Match(output).Groups[1].Value, CultureInfo.InvariantCulture));
    }

    public static async Task<string> VersionAsync() => (await Tool.RunAsync(Tool.Require("pgbench", "postgresql-contrib"), ["--version"])).Trim();

    private static string Invariant(long number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"tps = ([0-9.]+) \(without")]
    private static partial Regex Tps();

    [GeneratedRegex("actually processed: ([0-9]+)")]
    private static partial Regex Processed();

    [GeneratedRegex(@"number of failed transactions: 0 ")]
    private static partial Regex NoneFailed();
}
