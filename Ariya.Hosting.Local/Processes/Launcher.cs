using System.Collections.Concurrent;
using System.Diagnostics;

namespace Ariya.Hosting.Local.Processes;

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
