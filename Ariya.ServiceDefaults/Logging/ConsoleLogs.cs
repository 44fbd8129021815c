using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Abstractions;
using Microsoft.Extensions.Logging.Console;
using Microsoft.Extensions.Options;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>
/// The console, as the framework's own provider writes it and with its settings. That one drops lines when nobody reads them, but tells
/// no metric how many. Scopes are not printed: they hold the path as it was sent.
/// </summary>
[ProviderAlias("Console")]
internal sealed class ConsoleLogs : ILoggerProvider
{
    private static readonly TimeSpan s_stop = TimeSpan.FromSeconds(1);

    [ThreadStatic]
    private static StringWriter? s_text;

    private readonly ConsoleFormatter _formatter;
    private readonly LogSink _sink;

    public ConsoleLogs(IOptions<ConsoleLoggerOptions> options, IEnumerable<ConsoleFormatter> formatters, LogTroubles troubles)
    {
        var all = formatters.ToList();
        _formatter = all.Find(formatter => formatter.Name.Equals(options.Value.FormatterName, StringComparison.OrdinalIgnoreCase))
            ?? all.Find(formatter => formatter.Name == ConsoleFormatterNames.Simple) ?? all[0];
        _sink = new LogSink("console", new ConsoleOutput(this), troubles);
    }

    public ILogger CreateLogger(string categoryName) => new ConsoleLogger(this, categoryName);

    public void Dispose()
    {
        _sink.End();
        _sink.Join(s_stop);
    }

    private byte[] Format<TState>(in LogEntry<TState> entry)
    {
        var writer = s_text ??= new StringWriter();
        var text = writer.GetStringBuilder();
        _formatter.Write(entry, null, writer);
        var line = Console.OutputEncoding.GetBytes(text.ToString());
        text.Clear();
        return line;
    }

    private sealed class ConsoleOutput(ConsoleLogs logs) : ILogOutput
    {
        private readonly Stream _output = Console.OpenStandardOutput();

        public int Write(IReadOnlyList<byte[]> lines, int from)
        {
            _output.Write(lines[from]);
            return 1;
        }

        public byte[] Note(long dropped) => logs.Format(new LogEntry<long>(
            LogLevel.Warning, LogTroubles.Category, LogTroubles.DroppedEvent, dropped, null, (count, _) => LogTroubles.DroppedMessage(count)));
    }

    private sealed class ConsoleLogger(ConsoleLogs logs, string category) : ILogger
    {
        public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

        public bool IsEnabled(LogLevel logLevel) => logLevel != LogLevel.None;

        public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter)
        {
            if (!IsEnabled(logLevel))
            {
                return;
            }

            if (logs.Format(new LogEntry<TState>(logLevel, category, eventId, state, exception, formatter)) is { Length: > 0 } line)
            {
                logs._sink.Write(line);
            }
        }
    }
}
