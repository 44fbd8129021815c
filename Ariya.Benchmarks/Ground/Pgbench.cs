using System.Globalization;
using System.Reflection;

namespace Ariya.Benchmarks.Ground;

/// <summary>pgbench with a script of the folder Sql, whose first line chooses a row and whose others are a transaction.</summary>
internal static class Pgbench
{
    /// <param name="bench">Whose servers.</param>
    /// <param name="database">Of them.</param>
    /// <param name="script">Its name.</param>
    /// <param name="isPipelined">Whether the statements of a transaction are sent together, or each when the one before is answered.</param>
    /// <param name="clients">Connections.</param>
    /// <param name="count">What grows by one with every transaction.</param>
    /// <param name="variables">Of the script.</param>
    public static async Task<PausedProgram> StartAsync(
        Bench bench, Database database, string script, bool isPipelined, int clients, string count, params (string Name, long Value)[] variables)
    {
        var file = Path.Combine(AppContext.BaseDirectory, "programs", $"{script}{(isPipelined ? "-pipelined" : "")}.sql");
        await File.WriteAllTextAsync(file, await ScriptAsync(script, isPipelined));
        var program = await bench.Programs.StartAsync(
            Tool.Require("pgbench", "postgresql-contrib"),
            [
                "-n", "-M", "prepared", "-j", "1", "-f", file, "-h", "127.0.0.1", "-p", Invariant(bench.Servers.Port), "-U", bench.Servers.User, "-c", Invariant(clients), "-T", "100000",
                .. variables.SelectMany(variable => (string[])["-D", $"{variable.Name}={Invariant(variable.Value)}"]), database.Name,
            ],
            "/", port: 0, ("PGPASSWORD", bench.Servers.Password));
        return await PausedProgram.BeganAsync(program, () => database.ScalarAsync<long>(count));
    }

    public static async Task<string> VersionAsync() => (await Tool.RunAsync(Tool.Require("pgbench", "postgresql-contrib"), ["--version"])).Trim();

    private static async Task<string> ScriptAsync(string script, bool isPipelined)
    {
        using var reader = new StreamReader(Assembly.GetExecutingAssembly().GetManifestResourceStream($"Ariya.Benchmarks.Sql.{script}.sql")!);
        var choice = await reader.ReadLineAsync();
        var transaction = await reader.ReadToEndAsync();
        return isPipelined ? $"{choice}\n\\startpipeline\n{transaction}\n\\endpipeline\n" : $"{choice}\n{transaction}";
    }

    private static string Invariant(long number) => number.ToString(CultureInfo.InvariantCulture);
}
