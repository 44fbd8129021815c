using Ariya.Worker.Outbox;

namespace Ariya.Tests.Units;

public sealed class RetryScheduleTests
{
    [Fact]
    [Trait("Promise", "P46")]
    public void DelaysGrowAndEnd()
    {
        var delays = Enumerable.Range(1, 11).Select(attempt => RetrySchedule.After(attempt, 0.5)).ToList();
        Assert.Null(delays[^1]);
        Assert.Equal(delays[..^1].Order(), delays[..^1]);
        Assert.Equal(TimeSpan.FromSeconds(10), delays[0]);
        // Greylisting lets mail through after some minutes: at least two tries in the first half hour.
        Assert.True(delays[0] + delays[1] + delays[2] + delays[3] < TimeSpan.FromMinutes(30));
        Assert.True(delays[..^1].Aggregate(TimeSpan.Zero, (sum, delay) => sum + delay!.Value) > TimeSpan.FromHours(12));
    }

    [Fact]
    public void JitterSpreadsByAFifthEitherWay()
    {
        Assert.Equal(TimeSpan.FromSeconds(8), RetrySchedule.After(1, 0));
        Assert.Equal(TimeSpan.FromSeconds(12), RetrySchedule.After(1, 1));
    }
}
