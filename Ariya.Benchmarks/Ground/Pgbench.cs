using System.Globalization;
using System.Reflection;
using System.Text.RegularExpressions;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Ground;

/// <summary>pgbench with a script of the folder Sql, whose first line chooses a row and whose others are a transaction.</summary>
/// <param name="servers">Where.</param>
/// <param name="database">Of them.</param>
/// <param name="script">Its name.</param>
/// <param name="isPipelined">Whether the statements of a transaction are sent together, or each when the one before is answered.</param>
/// <param name="clients">Connections.</param>
/// <param name="variables">Of the script.</param>
internal sealed partial class Pgbench(
    Servers servers, Database database, string script, bool isPipelined, int clients, params (string Name, long Value)[] variables)
{
    private static readonly TimeSpan s_shortest = TimeSpan.FromSeconds(3);

    private readonly string _program = Tool.Require("pgbench", "postgresql-contrib");

    /// <summary>A side whose slices are checked in the database.</summary>
    /// <param name="count">What grows by one with every transaction.</param>
    public Side Checked(string count) => new($"pgbench{(isPipelined ? ", pipelined" : "")}", Bench.Checked(database, count, RunAsync));

    public static async Task<string> VersionAsync() => (await Tool.RunAsync(Tool.Require("pgbench", "postgresql-contrib"), ["--version"])).Trim();

    /// <returns>Transactions a second, without the time to connect, and how many.</returns>
    private async Task<(double Rate, long Done)> RunAsync(TimeSpan length)
    {
        var folder = Directory.CreateTempSubdirectory("ariya-pgbench");
        try
        {
            var file = Path.Combine(folder.FullName, "script.sql");
            await File.WriteAllTextAsync(file, await ScriptAsync());
            // Whole seconds, and enough of them: its connections are new each time, and plan and fill their caches in the first moments.
            var seconds = (int)Math.Max(s_shortest.TotalSeconds, Math.Ceiling(length.TotalSeconds));
            var output = await Tool.RunAsync(_program,
            [
                "-n", "-M", "prepared", "-j", "1", "-f", file, "-h", "127.0.0.1", "-p", Invariant(servers.Port), "-U", servers.User,
                "-c", Invariant(clients), "-T", Invariant(seconds), .. variables.SelectMany(variable => (string[])["-D", $"{variable.Name}={Invariant(variable.Value)}"]), database.Name,
            ], new Dictionary<string, string?> { ["PGPASSWORD"] = servers.Password });
            return NoneFailed().IsMatch(output)
                ? (double.Parse(Tps().Match(output).Groups[1].Value, CultureInfo.InvariantCulture), long.Parse(Processed().Match(output).Groups[1].Value, CultureInfo.InvariantCulture))
                : throw new WrongWorkException($"pgbench had failures:\n{output}");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private async Task<string> ScriptAsync()
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream($"Ariya.Benchmarks.Sql.{script}.sql")!);
        var choice = await reader.ReadLineAsync();
        var transaction = await reader.ReadToEndAsync();
        return isPipelined ? $"{choice}\n\\startpipeline\n{transaction}\n\\endpipeline\n" : $"{choice}\n{transaction}";
    }

    private static string Invariant(long number) => number.ToString(CultureInfo.InvariantCulture);

    [GeneratedRegex(@"tps = ([0-9.]+) \(without")]
    private static partial Regex Tps();

    [GeneratedRegex("actually processed: ([0-9]+)")]
    private static partial Regex Processed();

    [GeneratedRegex(@"number of failed transactions: 0 ")]
    private static partial Regex NoneFailed();
}
