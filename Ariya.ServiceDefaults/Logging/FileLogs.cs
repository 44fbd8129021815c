using System.Diagnostics;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Options;

namespace Ariya.ServiceDefaults.Logging;

/// <summary><c>combined.log</c>, of that <c>error.log</c>, and <c>http.log</c>: JSON lines in the directory that <c>Logs:Directory</c> names.</summary>
[ProviderAlias("Files")]
internal sealed class FileLogs : ILoggerProvider
{
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(2);

    private readonly LogDirectory _directory;
    private readonly LogSink _combined;
    private readonly LogSink _error;
    private readonly LogSink _http;
    private int _isDisposed;

    public FileLogs(IOptions<LogOptions> options, LogTroubles troubles)
    {
        _directory = new LogDirectory(options.Value.Directory!);
        LogSink Sink(string name) => new($"{name}.log", new RollingFile(_directory, name, options.Value), troubles);
        (_combined, _error, _http) = (Sink("combined"), Sink("error"), Sink("http"));
    }

    public ILogger CreateLogger(string categoryName) => new FileLogger(this, categoryName);

    /// <summary>The line of a request. It is no record of a logger: the console would have one for each request, and spans say it all.</summary>
    public void Write(in RequestLine request)
    {
        var line = JsonLine.OfRequest(request);
        _http.Write(line);
        _combined.Write(line);
    }

    public void Dispose()
    {
        if (Interlocked.Exchange(ref _isDisposed, 1) == 0)
        {
            Flush();
            _directory.Dispose();
        }
    }

    private void Flush()
    {
        var started = Stopwatch.GetTimestamp();
        LogSink[] sinks = [_combined, _error, _http];
        foreach (var sink in sinks)
        {
            sink.End();
        }

        foreach (var sink in sinks)
        {
            sink.Join(s_stop - Stopwatch.GetElapsedTime(started));
        }
    }

    private void Write<TState>(in LogEntry<TState> entry)
    {
        var line = JsonLine.Of(entry);
        _combined.Write(line);
        if (entry.LogLevel >= LogLevel.Error)
        {
            _error.Write(line);
        }
    }

    private sealed class FileLogger(FileLogs files, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (IsEnabled(logLevel))
            {
                files.Write(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter));
            }
        }
    }
}
