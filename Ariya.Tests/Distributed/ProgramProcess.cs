using System.Collections.Concurrent;
using System.Diagnostics;
using System.Runtime.InteropServices;

namespace Ariya.Tests.Distributed;

/// <summary>One of the product's own programs as a process: to be read, signalled and killed.</summary>
internal abstract class ProgramProcess : IAsyncDisposable
{
    private const int Terminate = 15;

    private readonly ConcurrentQueue<string> _output = new();

    /// <param name="project">Whose program.</param>
    /// <param name="arguments">For it.</param>
    /// <param name="environment">Beside the tests' own.</param>
    /// <param name="isRead">Whether its output is read from the start; else when <see cref="Read"/> says so.</param>
    protected ProgramProcess(
        string project, IEnumerable<string> arguments, IEnumerable<(string Name, string Value)> environment, bool isRead = true)
    {
        // Its own output folder: the copy beside the tests lacks what the tests' framework brings.
        var folder = AppContext.BaseDirectory.Replace($"{Path.DirectorySeparatorChar}Ariya.Tests{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}{project}{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        var start = new ProcessStartInfo("dotnet", ["exec", Path.Combine(folder, $"{project}.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        Process = Process.Start(start)!;
        Process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        Process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        Process.BeginErrorReadLine();
        if (isRead)
        {
            Read();
        }
    }

    public string Output => string.Join('\n', _output);

    public int ExitCode => Process.ExitCode;

    protected Process Process { get; }

    public void Read() => Process.BeginOutputReadLine();

    public void Kill() => Process.Kill();

    /// <summary>Asks it to end.</summary>
    public void Ask() => Signal(Terminate);

    public async Task EndAsync(TimeSpan within)
    {
        using var timeout = new CancellationTokenSource(within);
        await Process.WaitForExitAsync(timeout.Token);
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
            await Process.WaitForExitAsync();
        }

        Process.Dispose();
    }

    protected void Signal(int signal)
    {
        Assert.Equal(0, kill(Process.Id, signal));

        [DllImport("libc")]
        static extern int kill(int pid, int signal);
    }
}
