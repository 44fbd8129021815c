namespace Ariya.Worker.Outbox;

/// <summary>When a mail is tried again: soon at first, for greylisting and short outages, then rarer for hours.</summary>
internal static class RetrySchedule
{
    private static readonly TimeSpan[] s_delays =
    [
        TimeSpan.FromSeconds(10), TimeSpan.FromSeconds(30), TimeSpan.FromMinutes(2), TimeSpan.FromMinutes(5), TimeSpan.FromMinutes(15),
        TimeSpan.FromMinutes(30), TimeSpan.FromHours(1), TimeSpan.FromHours(2), TimeSpan.FromHours(4), TimeSpan.FromHours(8),
    ];

    /// <summary>The wait after a failed try, or null when tries are used up.</summary>
    /// <param name="attempt">The try that failed, from 1.</param>
    /// <param name="jitter">0 to 1: spreads mails that failed together.</param>
    public static TimeSpan? After(int attempt, double jitter) =>
        attempt <= s_delays.Length ? s_delays[attempt - 1] * (0.8 + (0.4 * jitter)) : null;

    /// <summary>The wait of a mail that was in hand when the relay failed: an eighth of its age, from 5 s to 10 minutes.</summary>
    /// <param name="age">Since it was asked for.</param>
    /// <param name="jitter">0 to 1.</param>
    public static TimeSpan AfterRelayFailure(TimeSpan age, double jitter) =>
        TimeSpan.FromSeconds(Math.Clamp(age.TotalSeconds / 8, 5, 600) * (0.8 + (0.4 * jitter)));
}
