using Ariya.Chaos;

namespace Ariya.Tests.Programs;

/// <summary>The judge of a run in which nothing is broken, fed with what processes might hold.</summary>
public sealed class SoakTests
{
    // Half an hour, one look in five seconds.
    private const int Looks = 360;

    [Fact]
    [Trait("Promise", "P64")]
    public void FlatIsGoodHoweverItBeganAndTrembles()
    {
        Assert.Empty(Judge(_ => new Holdings(200, 300)).Violations);
        // Warming up is no growth.
        Assert.Empty(Judge(look => new Holdings(Math.Min(200, 60 + (4 * look)), Math.Min(300, 20 + (10 * look)))).Violations);
        Assert.Empty(Judge(look => new Holdings(200 + (30 * Math.Sin(look)), 300 + (look * 7 % 15))).Violations);
        Assert.Empty(Judge(look => new Holdings(300 - (0.5 * look), 300 - (look / 2))).Violations);
    }

    [Fact]
    [Trait("Promise", "P64")]
    public void WhatGrowsIsFoundBySlopeAndBySteps()
    {
        // Half a megabyte a look, or a file in five.
        Assert.Equal(["what worker holds grows"], Judge(look => new Holdings(200 + (look / 2.0), 300)).Violations);
        Assert.Equal(["what worker holds grows"], Judge(look => new Holdings(200, 300 + (look / 5))).Violations);
        // All at once, late.
        Assert.Equal(["what worker holds grows"], Judge(look => new Holdings(look < 250 ? 200 : 400, 300)).Violations);
        Assert.Equal(["what worker holds grows"], Judge(look => new Holdings(200, look < 250 ? 300 : 350)).Violations);
    }

    [Fact]
    public void OfTooFewLooksNothingIsSaid() => Assert.Equal(["too short to say whether anything grows"], Judge(_ => new Holdings(200, 300), looks: 3).Violations);

    [Fact]
    public void EarlyAndLateAreTold() =>
        Assert.Equal(["  api      200 then 200 MB, 300 then 300 open files", "  worker   200 then 200 MB, 300 then 336 open files"],
            Judge(look => new Holdings(200, look < 270 ? 300 : 336)).Figures);

    /// <summary>What the worker holds at each look, beside an API that is flat.</summary>
    private static Verdict Judge(Func<int, Holdings> worker, int looks = Looks)
    {
        var now = 0;
        var soak = new Soak(["api", "worker"], name => name == "worker" ? worker(now) : new Holdings(200, 300));
        for (; now < looks; now++)
        {
            soak.Look();
        }

        var verdict = new Verdict();
        soak.AddTo(verdict);
        return verdict;
    }
}
