using System.Diagnostics;
using System.Diagnostics.Metrics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>Where lines end: a console or a file. Called by one thread alone, which may be blocked for as long as it takes.</summary>
internal interface ILogOutput
{
    /// <summary>Writes lines, each as a whole, beginning with one of them.</summary>
    /// <returns>How many; one at least.</returns>
    /// <exception cref="Exception">Nothing was written. Tried again later.</exception>
    int Write(IReadOnlyList<byte[]> lines, int from);

    /// <summary>A line that says how many others are missing.</summary>
    byte[] Note(long dropped);
}

/// <summary>
/// Takes lines from whoever logs and has one thread write them, so that no request ever waits for a disk or for somebody who reads. What
/// cannot be written waits up to a bound; what is beyond it is dropped and counted, and said when lines are written again.
/// </summary>
internal sealed class LogSink
{
    private const int MaxWaitingBytes = 4 * 1024 * 1024;
    private const int MaxBatch = 256;
    private static readonly TimeSpan s_retryAfter = TimeSpan.FromMilliseconds(250);

    private readonly object _gate = new();
    private readonly Queue<byte[]> _waiting = new();
    private readonly string _name;
    private readonly ILogOutput _output;
    private readonly LogTroubles _troubles;
    private readonly Thread _writer;
    private int _waitingBytes;
    private long _untold;
    private bool _isEnding;

    /// <param name="name">The sink in metrics: <c>console</c>, or the name of a file.</param>
    /// <param name="output">Written to by this sink alone.</param>
    /// <param name="troubles">Hears of what goes wrong.</param>
    public LogSink(string name, ILogOutput output, LogTroubles troubles)
    {
        _name = name;
        _output = output;
        _troubles = troubles;
        _writer = new Thread(Run) { IsBackground = true, Name = $"log {name}" };
        _writer.Start();
    }

    /// <summary>Never waits, never throws.</summary>
    public void Write(byte[] line)
    {
        lock (_gate)
        {
            if (!_isEnding && _waitingBytes + line.Length <= MaxWaitingBytes)
            {
                _waiting.Enqueue(line);
                _waitingBytes += line.Length;
                Monitor.Pulse(_gate);
                return;
            }

            _untold++;
        }

        _troubles.Dropped(_name, 1);
    }

    /// <summary>Takes no more lines; what waits is tried once more.</summary>
    public void End()
    {
        lock (_gate)
        {
            _isEnding = true;
            Monitor.Pulse(_gate);
        }
    }

    /// <summary>Waits for what was taken to be written.</summary>
    public void Join(TimeSpan patience) => _writer.Join(patience > TimeSpan.Zero ? patience : TimeSpan.Zero);

    private void Run()
    {
        var batch = new List<byte[]>();
        while (Take(batch))
        {
            var failed = WriteOut(batch);
            if (failed is not null)
            {
                DropRest(batch, failed);
                return;
            }
        }
    }

    /// <summary>Waits for lines. False when there are none and will be none.</summary>
    private bool Take(List<byte[]> batch)
    {
        batch.Clear();
        lock (_gate)
        {
            while (_waiting.Count == 0 && _untold == 0 && !_isEnding)
            {
                Monitor.Wait(_gate);
            }

            while (batch.Count < MaxBatch && _waiting.TryDequeue(out var line))
            {
                batch.Add(line);
            }

            // After the lines that were there first. The note is not counted as waiting, and so finds room always.
            if (_untold > 0 && _waiting.Count == 0)
            {
                batch.Add(_output.Note(_untold));
                _untold = 0;
            }

            return batch.Count > 0;
        }
    }

    /// <summary>Writes all of it, however often it has to be tried; what the last try failed of, if the program ends first.</summary>
    private Exception? WriteOut(List<byte[]> batch)
    {
        var written = 0;
        var isTroubled = false;
        while (written < batch.Count)
        {
            try
            {
                var count = _output.Write(batch, written);
                Leave(batch, written, count);
                written += count;
            }
            catch (Exception exception)
            {
                // Whatever it is, the thread goes on: nobody else would write.
                if (!isTroubled)
                {
                    isTroubled = true;
                    _troubles.Began(_name, exception);
                }

                lock (_gate)
                {
                    if (_isEnding)
                    {
                        batch.RemoveRange(0, written);
                        return exception;
                    }

                    // Lines that come meanwhile wake it too early; then the rest of the time is waited for.
                    var since = Stopwatch.GetTimestamp();
                    while (!_isEnding && s_retryAfter - Stopwatch.GetElapsedTime(since) is { Ticks: > 0 } rest)
                    {
                        Monitor.Wait(_gate, rest);
                    }
                }
            }
        }

        if (isTroubled)
        {
            _troubles.Ended(_name);
        }

        return null;
    }

    // Lines count as waiting until they are written, or a disk that is full would be given twice the room.
    private void Leave(List<byte[]> batch, int from, int count)
    {
        var bytes = 0;
        for (var i = from; i < from + count; i++)
        {
            bytes += batch[i].Length;
        }

        lock (_gate)
        {
            _waitingBytes = Math.Max(0, _waitingBytes - bytes);
        }
    }

    private void DropRest(List<byte[]> batch, Exception failed)
    {
        long lost;
        lock (_gate)
        {
            lost = batch.Count + _waiting.Count;
            _waiting.Clear();
        }

        _troubles.Dropped(_name, lost);
        _troubles.Lost(_name, lost, failed);
    }
}

/// <summary>Counts what is dropped, and tells the other sinks of a file that cannot be written.</summary>
internal sealed partial class LogTroubles
{
    public const string Category = "Ariya.Logs";
    public const int DroppedEvent = 3;

    private readonly Counter<long> _dropped;
    private readonly IServiceProvider _services;

    public LogTroubles(IMeterFactory meters, IServiceProvider services)
    {
        _services = services;
        _dropped = meters.Create(Telemetry.MeterName).CreateCounter<long>(
            "ariya.log.dropped", "{line}", "Log lines that were dropped, by the sink that did not take them.");
    }

    public static string DroppedMessage(long count) => $"{count} lines were dropped before this one: what is written here was not taken";

    public void Dropped(string sink, long lines) => _dropped.Add(lines, new TagList { { "sink", sink } });

    public void Began(string sink, Exception exception) => Tell(logger => Log.Unwritable(logger, sink, exception.Message));

    public void Ended(string sink) => Tell(logger => Log.Written(logger, sink));

    public void Lost(string sink, long lines, Exception exception) => Tell(logger => Log.Lost(logger, lines, sink, exception.Message));

    // The sinks are parts of what makes loggers, so a logger is asked for when there is something to say.
    private void Tell(Action<ILogger> say)
    {
        try
        {
            say(_services.GetRequiredService<ILoggerFactory>().CreateLogger(Category));
        }
        catch (ObjectDisposedException)
        {
            // The program ends, and there is nobody to tell.
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{Sink} cannot be written: {Reason} Lines wait, and are dropped when there are too many")]
        public static partial void Unwritable(ILogger logger, string sink, string reason);

        [LoggerMessage(2, LogLevel.Information, "{Sink} is written again")]
        public static partial void Written(ILogger logger, string sink);

        [LoggerMessage(4, LogLevel.Warning, "{Count} lines for {Sink} are lost: {Reason}")]
        public static partial void Lost(ILogger logger, long count, string sink, string reason);
    }
}
