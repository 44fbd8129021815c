using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text;

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
            command.AddRange(await UnprivilegedUser.PrefixAsync());
        }

        if (Executables.Find("setpriv") is { } setpriv)
        {
            var signal = start.StopSignal switch { StopSignal.Interrupt => "INT", StopSignal.Quit => "QUIT", _ => "KILL" };
            command.AddRange([setpriv, "--pdeathsig", signal]);
        }

        command.Add(start.FileName);
        command.AddRange(start.Arguments);
        var info = new ProcessStartInfo(command[0], command[1..])
        {
            WorkingDirectory = start.WorkingDirectory,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        info.Environment.Clear();
        foreach (var (name, value) in start.Environment)
        {
            info.Environment[name] = value;
        }

        return info;
    }
}
