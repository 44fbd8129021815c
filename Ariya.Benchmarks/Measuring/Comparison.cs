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

    /// <summary>A control, or a figure without a target.</summary>
    None,
}

/// <summary>What a comparison found.</summary>
/// <param name="Name">What is compared.</param>
/// <param name="First">The first side: Ariya, but for a control.</param>
/// <param name="Second">The limit or the peer.</param>
/// <param name="Target">The least ratio.</param>
/// <param name="Ratio">First by second, of pairs.</param>
/// <param name="Pairs">That count.</param>
/// <param name="Dropped">Pairs during which the machine itself changed its speed.</param>
/// <param name="FirstRate">Median of the first side, in units a second.</param>
/// <param name="SecondRate">Median of the second.</param>
/// <param name="Unit">What was done.</param>
internal sealed record Finding(
    string Name, string First, string Second, double? Target, Estimate Ratio, int Pairs, int Dropped, double FirstRate, double SecondRate, string Unit)
{
    private const double Margin = 0.05;
    private const double MostDropped = 0.3;

    /// <summary>Whether so many pairs were dropped that what is left says nothing.</summary>
    public bool IsUnsteady => Dropped > MostDropped * (Pairs + Dropped);

    public Verdict Verdict => Target switch
    {
        null => Verdict.None,
        { } target when Ratio.Median >= target && Ratio.Low >= target - Margin => Verdict.Pass,
        { } target when Ratio.High < target => Verdict.Fail,
        _ => Verdict.Inconclusive,
    };
}

/// <summary>
/// Two sides in short slices, in turn (A B, B A): both meet the same weather of a shared machine, and only their ratio is kept. A pair during which the
/// machine itself got faster or slower is dropped. When the interval leaves it open, as many pairs again are taken, once.
/// </summary>
internal sealed class Comparison(string name, Side first, Side second)
{
    private const double MostDrift = 0.15;
    private static readonly byte[] s_salt = new byte[16];

    public double? Target { get; init; }

    public string Unit { get; init; } = "requests";

    public int Pairs { get; init; } = 20;

    public TimeSpan Length { get; init; } = TimeSpan.FromSeconds(1.5);

    /// <summary>Between slices: what one side left to do is not to be paid by the other.</summary>
    public Func<Task> BetweenAsync { get; init; } = () => Task.CompletedTask;

    public async Task<Finding> RunAsync()
    {
        Console.Write($"{name} … ");
        // Both are warm, and wrong work is seen before anything is measured.
        var warm = TimeSpan.FromTicks(Math.Max(Length.Ticks, TimeSpan.TicksPerSecond));
        await first.RunAsync(warm);
        await second.RunAsync(warm);
        var (kept, dropped) = (new List<(double First, double Second)>(), 0);
        var finding = await TakeAsync(kept, Pairs, () => dropped++);
        if (finding() is { Verdict: Verdict.Inconclusive })
        {
            finding = await TakeAsync(kept, Pairs, () => dropped++);
        }

        var found = finding();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{found.Ratio.Median:0.00} [{found.Ratio.Low:0.00}, {found.Ratio.High:0.00}] {found.FirstRate:0.#} and {found.SecondRate:0.#} {Unit}/s, {found.Pairs} pairs, {dropped} dropped"));
        return found;

        async Task<Func<Finding>> TakeAsync(List<(double First, double Second)> pairs, int count, Action drop)
        {
            for (var i = 0; i < count; i++)
            {
                if (await PairAsync(isReversed: i % 2 == 1) is { } pair)
                {
                    pairs.Add(pair);
                }
                else
                {
                    drop();
                }
            }

            return () => pairs.Count == 0
                ? new Finding(name, first.Name, second.Name, Target, new Estimate(double.NaN, double.NaN, double.NaN), 0, dropped, double.NaN, double.NaN, Unit)
                : new Finding(
                    name, first.Name, second.Name, Target, Statistics.MedianOf([.. pairs.Select(pair => pair.First / pair.Second)]), pairs.Count, dropped,
                    Statistics.Median(pairs.Select(pair => pair.First)), Statistics.Median(pairs.Select(pair => pair.Second)), Unit);
        }
    }

    private async Task<(double First, double Second)?> PairAsync(bool isReversed)
    {
        var order = isReversed ? new[] { second, first } : [first, second];
        var rates = new double[2];
        var speeds = new double[2];
        for (var i = 0; i < 2; i++)
        {
            await BetweenAsync();
            speeds[i] = Calibrate();
            rates[i] = await order[i].RunAsync(Length);
        }

        if (Math.Abs(speeds[0] - speeds[1]) > MostDrift * Math.Min(speeds[0], speeds[1]))
        {
            return null;
        }

        return isReversed ? (rates[1], rates[0]) : (rates[0], rates[1]);
    }

    /// <summary>How fast one core is just now: the same work each time.</summary>
    private static double Calibrate()
    {
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < 3; i++)
        {
            var started = Stopwatch.GetTimestamp();
            Rfc2898DeriveBytes.Pbkdf2("calibration"u8, s_salt, 5_000, HashAlgorithmName.SHA512, 32);
            var took = Stopwatch.GetElapsedTime(started);
            best = took < best ? took : best;
        }

        return 1 / best.TotalSeconds;
    }
}
