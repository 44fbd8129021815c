using Ariya.Hosting.Local.Processes;

namespace Ariya.Benchmarks.Ground;

/// <summary>Programs that others made: pgbench, redis-benchmark, smtp-source, node.</summary>
internal static class Tool
{
    /// <exception cref="InvalidOperationException">It is not there; how to get it on Debian and Ubuntu.</exception>
    public static string Require(string name, string package) =>
        Executables.Find(name) ?? throw new InvalidOperationException($"{name} is not there: apt-get install {package}");

    /// <summary>Runs it to its end.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static async Task<string> RunAsync(
        string program, IReadOnlyList<string> arguments, IReadOnlyDictionary<string, string?>? environment = null, string folder = "/")
    {
        var result = await ShortCommand.RunAsync(program, arguments, CancellationToken.None, folder, environment);
        return result.ExitCode == 0
            ? result.Output
            : throw new InvalidOperationException($"{Path.GetFileName(program)} ended with {result.ExitCode}:\n{result.LastLines(20)}");
    }
}
