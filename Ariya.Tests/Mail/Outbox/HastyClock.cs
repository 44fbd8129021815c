namespace Ariya.Tests.Mail.Outbox;

/// <summary>Waits are shorter by a factor; the time of day is as it is.</summary>
internal sealed class HastyClock(int factor) : TimeProvider
{
    public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) =>
        base.CreateTimer(callback, state, Shorter(dueTime), Shorter(period));

    private TimeSpan Shorter(TimeSpan wait) => wait > TimeSpan.Zero ? wait / factor : wait;
}
