using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>
/// Asks the relay now and then whether it is there: a quiet one every 5 s, one in trouble at growing distances. Never waits for the
/// answer; that comes with a later call.
/// </summary>
internal sealed partial class RelayWatch(MailLanes lanes, Heartbeat heartbeat, TimeProvider clock, ILogger<RelayWatch> logger)
{
    private static readonly TimeSpan s_quiet = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan s_believed = TimeSpan.FromSeconds(15);
    private static readonly TimeSpan s_longestPause = TimeSpan.FromSeconds(30);

    private Task<DeliveryReport?> _probe = Task.FromResult<DeliveryReport?>(null);
    private string? _trouble = MailLanes.NotAsked;
    private long _askedAt;

    /// <summary>Whether mails may be claimed for it.</summary>
    /// <param name="mayAsk">Not when the worker stops.</param>
    public bool IsReady(bool mayAsk)
    {
        if (_probe.IsCompletedSuccessfully && _probe.Result is { } report)
        {
            heartbeat.Tell(report);
            _probe = Task.FromResult<DeliveryReport?>(null);
        }

        var trouble = lanes.Trouble;
        Tell(trouble);
        var pause = trouble is null ? s_quiet : Pause(lanes.FailedRounds);
        var isDue = (trouble is not null || lanes.Quiet >= s_quiet) && (_askedAt == 0 || clock.GetElapsedTime(_askedAt) >= pause);
        if (mayAsk && isDue && _probe.IsCompleted)
        {
            _askedAt = clock.GetTimestamp();
            _probe = lanes.ProbeAsync();
        }

        return trouble is null && lanes.Quiet < s_believed;
    }

    private static TimeSpan Pause(int failedRounds)
    {
        var pause = TimeSpan.FromSeconds(Math.Pow(2, Math.Min(failedRounds, 10)) / 2);
        return pause < s_longestPause ? pause : s_longestPause;
    }

    private void Tell(string? trouble)
    {
        if (trouble == _trouble)
        {
            return;
        }

        _trouble = trouble;
        if (trouble is null)
        {
            Log.Answers(logger);
        }
        else
        {
            Log.Trouble(logger, trouble);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Mail relay: answers")]
        public static partial void Answers(ILogger logger);

        [LoggerMessage(2, LogLevel.Warning, "Mail relay: {Trouble}")]
        public static partial void Trouble(ILogger logger, string trouble);
    }
}
