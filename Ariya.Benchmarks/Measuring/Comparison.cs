using System.Diagnostics;
using System.Globalization;
using System.Security.Cryptography;

namespace Ariya.Benchmarks.Measuring;

/// <summary>Works for about a time, checks what came of it, and answers how much was done in a second.</summary>
/// <exception cref="WrongWorkException">What was asked for was not done: a slice with one wrong answer counts for nothing.</exception>
internal delegate Task<double> Slice(TimeSpan length);

/// <summary>One side of a comparison.</summary>
/// <param name="Name">As it stands in the table.</param>
/// <param name="RunAsync">Its work.</param>
internal sealed record Side(string Name, Slice RunAsync);

internal sealed class WrongWorkException(string message) : Exception(message);

internal enum Verdict
{
    Pass,
    Fail,
    Inconclusive,

    /// <summary>A control that holds, or a figure without a target.</summary>
    None,
}

/// <summary>What a comparison found.</summary>
/// <param name="Name">What is compared.</param>
/// <param name="First">The first side: Ariya, but for a control.</param>
/// <param name="Second">The limit or the peer.</param>
/// <param name="Target">The least ratio.</param>
/// <param name="Ratio">First by second, of rounds.</param>
/// <param name="Rounds">That count.</param>
/// <param name="Dropped">Rounds during which the machine itself changed its speed; as far as there was time, others took their place.</param>
/// <param name="FirstRate">Median of the first side, in units a second.</param>
/// <param name="SecondRate">Median of the second.</param>
/// <param name="Unit">What was done.</param>
internal sealed record Finding(
    string Name, string First, string Second, double? Target, Estimate Ratio, int Rounds, int Dropped, double FirstRate, double SecondRate, string Unit)
{
    private const double Margin = 0.05;
    private const double MostWidth = 0.16;
    // Three controls of which each must hold exactly 1 would make one run in six void on the steadiest machine.
    private const double Indifference = 0.03;

    /// <summary>Whether more were dropped than are left.</summary>
    public bool IsShort => Dropped > Rounds;

    /// <summary>Whether both sides are one, and a run that finds them apart is void.</summary>
    public bool IsControl { get; init; }

    /// <summary>Of a control: whether a side is as fast as itself.</summary>
    public bool Holds => Ratio.Low <= 1 + Indifference && Ratio.High >= 1 - Indifference && Ratio.Width <= MostWidth;

    public Verdict Verdict => Target switch
    {
        null => IsControl && !Holds ? Verdict.Inconclusive : Verdict.None,
        { } target when Ratio.Median >= target && Ratio.Low >= target - Margin => Verdict.Pass,
        { } target when Ratio.High < target => Verdict.Fail,
        _ => Verdict.Inconclusive,
    };
}

/// <summary>
/// Two sides in short slices, in turn: A B B A is one round. Both meet the same weather of a shared machine, a drift within the round cancels out, and only their
/// ratio is kept. A round in which one side met a slower machine than the other is dropped and another taken in its place, until as many were tried as would be
/// twice enough. When the interval leaves it open, as many rounds again are taken, once; of a control twice.
/// </summary>
internal sealed class Comparison(string name, Side first, Side second)
{
    // Of all cores together, by probes that neighbouring slices share: one of two cores at six tenths for the whole of a side makes 0.11 to 0.13, and is left
    // to the median. Dropped as well, as many rounds as are wanted were not to be had in the time.
    private const double MostDrift = 0.15;
    private const double StillWarming = 1.03;
    private const int MostWarmUps = 12;
    private const int Probes = 8;
    private static readonly TimeSpan s_quiet = TimeSpan.FromMilliseconds(40);
    private static readonly byte[] s_salt = new byte[16];

    private readonly List<(double First, double Second)> _rounds = [];
    private readonly bool _isControl = first.RunAsync == second.RunAsync;
    private int _dropped;

    public double? Target { get; init; }

    public string Unit { get; init; } = "requests";

    public int Rounds { get; init; } = 10;

    public TimeSpan Length { get; init; } = TimeSpan.FromSeconds(1);

    /// <summary>Once, before anything is done: what is put off is not to be paid by whoever is there when it comes. Not between rounds, where the first slice would pay for the others.</summary>
    public Func<Task> BeforeAsync { get; init; } = () => Task.CompletedTask;

    public async Task<Finding> RunAsync()
    {
        Console.Write($"{name} … ");
        await BeforeAsync();
        await WarmUpAsync(first);
        await WarmUpAsync(second);
        await TakeAsync();
        // A control that is too wide makes the whole run void: it is given a third take.
        for (var again = _isControl ? 2 : 1; again > 0 && Found().Verdict == Verdict.Inconclusive; again--)
        {
            await TakeAsync();
        }

        var found = Found();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{found.Ratio.Median:0.00} [{found.Ratio.Low:0.00}, {found.Ratio.High:0.00}] {found.FirstRate:0.#} and {found.SecondRate:0.#} {Unit}/s, {found.Rounds} rounds, {_dropped} dropped"));
        return found;
    }

    /// <summary>Until it gets no faster: a program that runs compiles itself anew for half a minute. Wrong work is seen here, before anything is measured.</summary>
    private async Task WarmUpAsync(Side side)
    {
        var best = 0.0;
        for (var (i, idle) = (0, 0); i < MostWarmUps && idle < 2; i++)
        {
            var rate = await side.RunAsync(Length);
            idle = rate > best * StillWarming ? 0 : idle + 1;
            best = Math.Max(best, rate);
        }
    }

    private async Task TakeAsync()
    {
        var wanted = _rounds.Count + Rounds;
        for (var i = 0; _rounds.Count < wanted && i < 2 * Rounds; i++)
        {
            if (await RoundAsync(isReversed: _rounds.Count % 2 == 1) is { } round)
            {
                _rounds.Add(round);
            }
            else
            {
                _dropped++;
            }
        }
    }

    private async Task<(double First, double Second)?> RoundAsync(bool isReversed)
    {
        var (outer, inner) = isReversed ? (second, first) : (first, second);
        var rates = new double[4];
        var speeds = new double[5];
        for (var i = 0; i < 4; i++)
        {
            speeds[i] = await ProbeAsync();
            rates[i] = await (i is 0 or 3 ? outer : inner).RunAsync(Length);
        }

        // A slice met what stood before it and after it.
        speeds[4] = await ProbeAsync();
        var (whenOuter, whenInner) = (speeds[0] + speeds[1] + speeds[3] + speeds[4], speeds[1] + (2 * speeds[2]) + speeds[3]);
        if (Math.Abs(whenOuter - whenInner) > MostDrift * Math.Min(whenOuter, whenInner))
        {
            return null;
        }

        var (ofOuter, ofInner) = (HarmonicMean(rates[0], rates[3]), HarmonicMean(rates[1], rates[2]));
        return isReversed ? (ofInner, ofOuter) : (ofOuter, ofInner);
    }

    private Finding Found()
    {
        var (ratio, firstRate, secondRate) = _rounds.Count == 0
            ? (new Estimate(double.NaN, double.NaN, double.NaN), double.NaN, double.NaN)
            : (Statistics.MedianOf([.. _rounds.Select(round => round.First / round.Second)]),
                Statistics.Median(_rounds.Select(round => round.First)), Statistics.Median(_rounds.Select(round => round.Second)));
        return new Finding(name, first.Name, second.Name, Target, ratio, _rounds.Count, _dropped, firstRate, secondRate, Unit) { IsControl = _isControl };
    }

    // As of the same work done twice.
    private static double HarmonicMean(double a, double b) => 2 / ((1 / a) + (1 / b));

    /// <summary>
    /// How fast all cores are together just now: neighbours slow each of them by itself, for seconds. The median of some pieces of work, which a moment's
    /// interruption does not move.
    /// </summary>
    private static async Task<double> ProbeAsync()
    {
        // What the slice before left to the servers.
        await Task.Delay(s_quiet);
        var speeds = await Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Factory.StartNew(
            () => 1 / Statistics.Median(Enumerable.Range(0, Probes).Select(_ => Probe())), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        return speeds.Sum();
    }

    private static double Probe()
    {
        var started = Stopwatch.GetTimestamp();
        Rfc2898DeriveBytes.Pbkdf2("calibration"u8, s_salt, 2_500, HashAlgorithmName.SHA512, 32);
        return Stopwatch.GetElapsedTime(started).TotalSeconds;
    }
}
