using System.Diagnostics;

namespace Ariya.Hosting.Local.Servers;

/// <summary>Says every few seconds what a long installation is doing, so that it does not look hung.</summary>
internal static class Progress
{
    private static readonly TimeSpan s_interval = TimeSpan.FromSeconds(5);

    public static async Task ReportAsync(Task work, Func<string> activity, Action<string, bool> log, CancellationToken ct)
    {
        var elapsed = Stopwatch.StartNew();
        while (await Task.WhenAny(work, Task.Delay(s_interval, ct)) != work && !ct.IsCancellationRequested)
        {
            log($"{activity()} ({elapsed.Elapsed.TotalSeconds:0} s so far) …", false);
        }
    }
}
