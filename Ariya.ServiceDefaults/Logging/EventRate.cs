using System.Collections.Concurrent;
using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.Hosting;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>
/// How many lines an event may have in a second, so that whoever causes it does not fill the disk. The rest is counted: in the metric
/// <c>ariya.log.withheld</c>, and in the next line.
/// </summary>
public sealed class EventRate
{
    /// <summary>Lines of one event in a second.</summary>
    public const int PerSecond = 20;

    private readonly ConcurrentDictionary<string, Window> _windows = new();
    private readonly Counter<long> _withheld;

    public EventRate(IMeterFactory meters) => _withheld = meters.Create(Telemetry.MeterName).CreateCounter<long>(
        "ariya.log.withheld", "{line}", "Log lines that were not written because there were too many of their event in a second, by event.");

    /// <param name="name">The event, one of a few: never a value from a request.</param>
    /// <param name="withheld">How many lines of it were withheld since the last that was not.</param>
    /// <returns>Whether a line may be written.</returns>
    public bool Admits(string name, out long withheld)
    {
        var window = _windows.GetOrAdd(name, _ => new Window());
        lock (window)
        {
            if (window.StartedAt == 0 || Stopwatch.GetElapsedTime(window.StartedAt) >= TimeSpan.FromSeconds(1))
            {
                (window.StartedAt, window.Lines) = (Stopwatch.GetTimestamp(), 0);
            }

            if (window.Lines < PerSecond)
            {
                window.Lines++;
                withheld = window.Withheld;
                window.Withheld = 0;
                return true;
            }

            withheld = ++window.Withheld;
        }

        _withheld.Add(1, new TagList { { "event", name } });
        return false;
    }

    private sealed class Window
    {
        public long StartedAt { get; set; }
        public int Lines { get; set; }
        public long Withheld { get; set; }
    }
}
