using System.Diagnostics;

namespace Ariya.Hosting.Local.Processes;

internal sealed record ChildProcessStart
{
    public required string FileName { get; init; }
    public IReadOnlyList<string> Arguments { get; init; } = [];
    public required string WorkingDirectory { get; init; }

    /// <summary>The whole environment of the child: nothing is inherited beside it.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public StopSignal StopSignal { get; init; } = StopSignal.Terminate;

    /// <summary>For servers that refuse to run as root; without effect for everybody else.</summary>
    public bool AsUnprivilegedUser { get; init; }

    /// <summary>One line of console output; true for standard error.</summary>
    public required Action<string, bool> OnLine { get; init; }
}

internal sealed class ChildProcess
{
    private static readonly TimeSpan s_lastLines = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_afterKill = TimeSpan.FromSeconds(10);

    private readonly StopSignal _stopSignal;

    internal ChildProcess(Process process, ChildProcessStart start)
    {
        Id = process.Id;
        _stopSignal = start.StopSignal;
        Exited = FollowAsync(process, start.OnLine);
    }

    public int Id { get; }

    /// <summary>The exit code, once the process has ended and its last lines have been delivered.</summary>
    public Task<int> Exited { get; }

    /// <summary>Asks the process and everything it started to end, and kills what is left after <paramref name="grace"/>.</summary>
    public async Task StopAsync(TimeSpan grace)
    {
        SendToAll(_stopSignal);
        try
        {
            await Exited.WaitAsync(grace);
        }
        catch (TimeoutException)
        {
            SendToAll(StopSignal.Kill);
            await Exited.WaitAsync(s_afterKill);
        }
    }

    private void SendToAll(StopSignal signal)
    {
        // Without `setsid` (macOS) the child leads no group.
        if (!Exited.IsCompleted && !Posix.SignalGroup(Id, signal))
        {
            Posix.Signal(Id, signal);
        }
    }

    private async Task<int> FollowAsync(Process process, Action<string, bool> onLine)
    {
        await Task.Yield();
        using (process)
        {
            var lines = Task.WhenAll(
                PumpAsync(process.StandardOutput, line => onLine(line, false)),
                PumpAsync(process.StandardError, line => onLine(line, true)));
            await process.WaitForExitAsync();
            // What the process started in its own group does not outlive it.
            Posix.SignalGroup(Id, StopSignal.Kill);
            // A descendant that moved to another session may hold the pipe: the last lines are waited for, not the pipe's end.
            await lines.WaitAsync(s_lastLines).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return process.ExitCode;
        }
    }

    private static async Task PumpAsync(StreamReader reader, Action<string> onLine)
    {
        try
        {
            while (await reader.ReadLineAsync() is { } line)
            {
                onLine(line);
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException)
        {
            // The pipe was closed under the reader after the process had ended.
        }
    }
}
