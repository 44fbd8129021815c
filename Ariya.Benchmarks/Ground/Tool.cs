using System.Diagnostics;

namespace Ariya.Benchmarks.Ground;

/// <summary>Programs that others made: pgbench, redis-benchmark, smtp-source, node.</summary>
internal static class Tool
{
    private static readonly string[] s_folders = [.. (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':'), "/usr/sbin", "/usr/local/sbin"];

    public static string? Find(string name) => s_folders.Select(folder => Path.Combine(folder, name)).FirstOrDefault(File.Exists);

    /// <exception cref="InvalidOperationException">It is not there; how to get it on Debian and Ubuntu.</exception>
    public static string Require(string name, string package) =>
        Find(name) ?? throw new InvalidOperationException($"{name} is not there: apt-get install {package}");

    /// <summary>Runs it to its end.</summary>
    /// <returns>Its standard output.</returns>
    public static async Task<string> RunAsync(string program, IEnumerable<string> arguments, IReadOnlyDictionary<string, string>? environment = null, string? folder = null)
    {
        var start = new ProcessStartInfo(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true, WorkingDirectory = folder ?? "" };
        foreach (var (name, value) in environment ?? new Dictionary<string, string>())
        {
            start.Environment[name] = value;
        }

        using var process = Process.Start(start)!;
        var outputs = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return process.ExitCode == 0
            ? outputs[0]
            : throw new InvalidOperationException($"{Path.GetFileName(program)} ended with {process.ExitCode}:\n{outputs[0]}\n{outputs[1]}");
    }
}
