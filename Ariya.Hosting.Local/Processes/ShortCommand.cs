using System.Diagnostics;

namespace Ariya.Hosting.Local.Processes;

/// <summary>A command that is run to its end, such as `npm ci` or `initdb`. It does not outlive the host.</summary>
internal static class ShortCommand
{
    internal sealed record Result(int ExitCode, string Output)
    {
        public string LastLines(int count) => string.Join('\n', Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(count));
    }

    /// <summary>Runs with this process's environment, in which <paramref name="environment"/> sets or (null) removes variables.</summary>
    public static Task<Result> RunAsync(
        string fileName, IReadOnlyList<string> arguments, CancellationToken ct, string workingDirectory = "/",
        IReadOnlyDictionary<string, string?>? environment = null)
    {
        // A thread of its own from start to end, because the parent-death signal follows the thread.
        return Task.Factory.StartNew(
            () => Run([fileName, .. arguments], workingDirectory, environment ?? new Dictionary<string, string?>(), ct),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private static Result Run(
        string[] command, string workingDirectory, IReadOnlyDictionary<string, string?> environment, CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        string[] prefix = Executables.Find("setpriv") is { } setpriv ? [setpriv, "--pdeathsig", "KILL"] : [];
        command = [.. prefix, .. command];
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = workingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            info.Environment[name] = value;
        }

        using var process = Process.Start(info)!;
        process.StandardInput.Close();
        using (ct.Register(() => process.Kill(entireProcessTree: true)))
        {
            var output = process.StandardOutput.ReadToEndAsync(CancellationToken.None);
            var errors = process.StandardError.ReadToEnd();
            process.WaitForExit();
            ct.ThrowIfCancellationRequested();
            return new Result(process.ExitCode, output.GetAwaiter().GetResult() + errors);
        }
    }
}
