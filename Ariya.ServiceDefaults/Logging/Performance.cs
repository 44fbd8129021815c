using System.Diagnostics;
using System.Text.RegularExpressions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Options;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>Says which requests and which statements took longer than <c>Logs:SlowQueryMs</c>. A statement is its text; its values are not in it.</summary>
internal sealed partial class Performance : IHostedService, IDisposable
{
    public const string Category = "Ariya.Performance";
    private const int LongestStatement = 1000;

    private readonly TimeSpan _slow;
    private readonly EventRate _rate;
    private readonly ILogger _logger;
    private readonly ActivityListener? _listener;

    public Performance(IOptions<LogOptions> options, EventRate rate, ILoggerFactory loggers)
    {
        _slow = options.Value.SlowQueryMs > 0 ? TimeSpan.FromMilliseconds(options.Value.SlowQueryMs) : TimeSpan.MaxValue;
        _rate = rate;
        _logger = loggers.CreateLogger(Category);
        if (_slow < TimeSpan.MaxValue && _logger.IsEnabled(LogLevel.Warning))
        {
            // Npgsql's own log of commands has a line for each; its spans have the text of slow and fast ones and never a parameter.
            _listener = new ActivityListener
            {
                ShouldListenTo = source => source.Name == "Npgsql",
                Sample = (ref ActivityCreationOptions<ActivityContext> _) => ActivitySamplingResult.AllData,
                ActivityStopped = Judge,
            };
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        if (_listener is not null)
        {
            ActivitySource.AddActivityListener(_listener);
        }

        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public void Dispose() => _listener?.Dispose();

    /// <param name="line">A request that was answered.</param>
    public void Judge(in RequestLine line)
    {
        if (line.Milliseconds >= _slow.TotalMilliseconds && _rate.Admits("performance.slow_request", out var withheld))
        {
            Log.SlowRequest(_logger, line.Method, line.Route ?? "without a route", line.Status, Math.Round(line.Milliseconds), withheld);
        }
    }

    private void Judge(Activity span)
    {
        if (span.Duration >= _slow && span.GetTagItem("db.query.text") is string text && _rate.Admits("performance.slow_statement", out var withheld))
        {
            var statement = Spaces().Replace(text, " ").Trim();
            Log.SlowStatement(
                _logger, Math.Round(span.Duration.TotalMilliseconds), statement.Length > LongestStatement ? statement[..LongestStatement] : statement, withheld);
        }
    }

    [GeneratedRegex(@"\s+")]
    private static partial Regex Spaces();

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{Method} {Route} took {Ms} ms and was answered with {Status}; {Withheld} more were not written")]
        public static partial void SlowRequest(ILogger logger, string method, string route, int status, double ms, long withheld);

        [LoggerMessage(2, LogLevel.Warning, "A statement took {Ms} ms: {Statement}; {Withheld} more were not written")]
        public static partial void SlowStatement(ILogger logger, double ms, string statement, long withheld);
    }
}
