namespace Ariya.Benchmarks.Measuring;

/// <summary>A median with the interval in which it lies with 95 % confidence.</summary>
internal readonly record struct Estimate(double Median, double Low, double High)
{
    public double HalfWidth => (High - Low) / 2;
}

internal static class Statistics
{
    private const int Resamples = 4000;

    public static double Median(IEnumerable<double> values) => Percentile(values, 0.5);

    public static double Percentile(IEnumerable<double> values, double share)
    {
        var sorted = values.Order().ToArray();
        var at = share * (sorted.Length - 1);
        var below = (int)at;
        return below + 1 < sorted.Length ? sorted[below] + ((at - below) * (sorted[below + 1] - sorted[below])) : sorted[below];
    }

    /// <summary>By resampling (a percentile bootstrap): nothing is assumed of how the values are distributed.</summary>
    public static Estimate MedianOf(IReadOnlyList<double> values)
    {
        // Always the same draws, so that the same measurements give the same interval.
        var draws = new Draws(20_240_229);
        var medians = new double[Resamples];
        var sample = new double[values.Count];
        for (var round = 0; round < Resamples; round++)
        {
            for (var i = 0; i < sample.Length; i++)
            {
                sample[i] = values[draws.Below(values.Count)];
            }

            medians[round] = Median(sample);
        }

        return new Estimate(Median(values), Percentile(medians, 0.025), Percentile(medians, 0.975));
    }
}

/// <summary>A fast sequence of numbers for choosing rows and resamples (splitmix64): nothing that must not be guessed.</summary>
internal sealed class Draws(ulong seed)
{
    private ulong _state = seed;

    public int Below(int limit)
    {
        var mixed = _state += 0x9E3779B97F4A7C15;
        mixed = (mixed ^ (mixed >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return (int)(((mixed ^ (mixed >> 31)) >> 33) % (ulong)limit);
    }
}
