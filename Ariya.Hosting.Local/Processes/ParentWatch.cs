using Microsoft.Extensions.Hosting;

namespace Ariya.Hosting.Local.Processes;

/// <summary>
/// Stops the host when the `dotnet run` that started it is gone: that command does not pass its own death on. Under any other
/// parent (a shell, a service manager, a test runner) it does nothing, because there a lost parent means nothing.
/// </summary>
internal sealed class ParentWatch(IHostApplicationLifetime lifetime) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_orderlyStop = TimeSpan.FromSeconds(4);

    // Taken when the host is built: a parent that is gone by the time the service starts is noticed too.
    private readonly int _parentId = Posix.ParentId;
    private readonly bool _isDotnetRun = IsDotnetRun(Posix.CommandLineOf(Posix.ParentId));

    internal static bool IsDotnetRun(IReadOnlyList<string> commandLine) =>
        commandLine.Count > 1
            && Path.GetFileName(commandLine[0]) == "dotnet"
            && commandLine.Skip(1).TakeWhile(argument => argument != "--").Contains("run");

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        if (!_isDotnetRun)
        {
            return;
        }

        using var timer = new PeriodicTimer(s_interval);
        try
        {
            while (Posix.ParentId == _parentId)
            {
                await timer.WaitForNextTickAsync(stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            return;
        }

        lifetime.StopApplication();
        _ = EndAsync();
    }

    /// <summary>Nobody is there to press Ctrl+C again: a stop that hangs is cut short, and the watchdog ends the children.</summary>
    private static async Task EndAsync()
    {
        await Task.Delay(s_orderlyStop);
        Posix.Signal(Environment.ProcessId, StopSignal.Kill);
    }
}
