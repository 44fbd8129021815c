using System.Collections.Concurrent;
using System.Diagnostics;

namespace Ariya.Hosting.Local.Processes;

/// <summary>The children of one host. None of them outlives it, whatever ends it.</summary>
internal sealed class ChildProcesses : IAsyncDisposable
{
    private static readonly TimeSpan s_grace = TimeSpan.FromSeconds(5);

    private readonly Launcher _launcher = new();
    private readonly Lazy<Task<Watchdog>> _watchdog;
    private readonly ConcurrentDictionary<int, ChildProcess> _children = [];
    private bool _disposed;

    public ChildProcesses()
    {
        _watchdog = new Lazy<Task<Watchdog>>(() => Watchdog.StartAsync(_launcher));
    }

    public async Task<ChildProcess> StartAsync(ChildProcessStart start, CancellationToken ct)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        if (Path.IsPathRooted(start.FileName) && !Executables.IsExecutable(start.FileName))
        {
            throw new FileNotFoundException($"There is no executable file at {start.FileName}.");
        }

        var watchdog = await _watchdog.Value;
        var info = await StartInfoAsync(start);
        ct.ThrowIfCancellationRequested();
        var process = await _launcher.StartAsync(info);
        watchdog.Add(process.Id, start.StopSignal);
        // Nobody types into a child, and it must not read what is typed for the host.
        process.StandardInput.Close();
        var child = new ChildProcess(process, start);
        _children[child.Id] = child;
        _ = ForgetAsync(child, watchdog);
        return child;
    }

    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        await Task.WhenAll(_children.Values.Select(child => child.StopAsync(s_grace)));
        if (_watchdog.IsValueCreated)
        {
            (await _watchdog.Value).Dispose();
        }

        // Last: the end of this thread is the parent-death signal of every child.
        _launcher.Dispose();
    }

    private async Task ForgetAsync(ChildProcess child, Watchdog watchdog)
    {
        await ((Task)child.Exited).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        watchdog.Remove(child.Id);
        _children.TryRemove(child.Id, out _);
    }

    private static async Task<ProcessStartInfo> StartInfoAsync(ChildProcessStart start)
    {
        // Each of these executes the next in its own place, so the process id is the server's and signals reach it.
        List<string> command = [];
        if (Executables.Find("setsid") is { } setsid)
        {
            command.Add(setsid);
        }

        if (start.AsUnprivilegedUser)
        {
            command.AddRange(UnprivilegedUser.Prefix(await UnprivilegedUser.WayAsync()));
        }

        if (Executables.Find("setpriv") is { } setpriv)
        {
            // There is no time to be polite, except to a server that would have to recover.
            var signal = start.StopSignal switch { StopSignal.Interrupt => "INT", StopSignal.Quit => "QUIT", _ => "KILL" };
            command.AddRange([setpriv, "--pdeathsig", signal]);
        }

        command.AddRange([start.FileName, .. start.Arguments]);
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = start.WorkingDirectory,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        info.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        return info;
    }
}

/// <summary>
/// Starts every child on one thread that lives as long as the host. A parent-death signal follows the thread that forked,
/// not the process: a child started from the thread pool dies when the pool retires that thread, about 20 seconds later.
/// </summary>
internal sealed class Launcher : IDisposable
{
    private readonly BlockingCollection<(ProcessStartInfo Info, TaskCompletionSource<Process> Started)> _queue = [];
    private readonly Thread _thread;

    public Launcher()
    {
        _thread = new Thread(Run) { IsBackground = true, Name = "child processes" };
        _thread.Start();
    }

    public Task<Process> StartAsync(ProcessStartInfo info)
    {
        var started = new TaskCompletionSource<Process>(TaskCreationOptions.RunContinuationsAsynchronously);
        _queue.Add((info, started));
        return started.Task;
    }

    public void Dispose()
    {
        _queue.CompleteAdding();
        _thread.Join();
        _queue.Dispose();
    }

    private void Run()
    {
        foreach (var (info, started) in _queue.GetConsumingEnumerable())
        {
            try
            {
                started.SetResult(Process.Start(info)!);
            }
            catch (Exception exception)
            {
                started.SetException(exception);
            }
        }
    }
}
