using System.Diagnostics;
using System.Text;

namespace Ariya.Hosting.Local.Processes;

/// <summary>A command that is run to its end, such as `npm ci` or `initdb`. It does not outlive the host.</summary>
internal static class ShortCommand
{
    internal sealed record Result(int ExitCode, string Output)
    {
        public string LastLines(int count)
        {
            return string.Join('\n', Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).TakeLast(count));
        }
    }

    public static Task<Result> RunAsync(string fileName, IReadOnlyList<string> arguments, CancellationToken ct)
    {
        return RunAsync(fileName, arguments, workingDirectory: "/", environment: [], ct);
    }

    /// <summary>Runs with this process's environment, in which <paramref name="environment"/> sets or (null) removes variables.</summary>
    public static Task<Result> RunAsync(
        string fileName,
        IReadOnlyList<string> arguments,
        string workingDirectory,
        IReadOnlyCollection<KeyValuePair<string, string?>> environment,
        CancellationToken ct)
    {
        // A thread of its own from start to end, because the parent-death signal follows the thread.
        return Task.Factory.StartNew(
            () => Run(fileName, arguments, workingDirectory, environment, ct),
            CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default);
    }

    private static Result Run(
        string fileName,
        IReadOnlyList<string> arguments,
        string workingDirectory,
        IReadOnlyCollection<KeyValuePair<string, string?>> environment,
        CancellationToken ct)
    {
        ct.ThrowIfCancellationRequested();
        string[] prefix = Executables.Find("setpriv") is { } setpriv ? [setpriv, "--pdeathsig", "KILL"] : [];
        string[] command = [.. prefix, fileName, .. arguments];
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = workingDirectory,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            info.Environment[name] = value;
        }

        var output = new StringBuilder();
        using var process = new Process { StartInfo = info };
        process.OutputDataReceived += (_, line) => Append(line.Data);
        process.ErrorDataReceived += (_, line) => Append(line.Data);
        process.Start();
        process.StandardInput.Close();
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
        using (ct.Register(() => process.Kill(entireProcessTree: true)))
        {
            process.WaitForExit();
        }

        ct.ThrowIfCancellationRequested();
        return new Result(process.ExitCode, output.ToString());

        void Append(string? line)
        {
            if (line is not null)
            {
                lock (output)
                {
                    output.Append(line).Append('\n');
                }
            }
        }
    }
}
