using Ariya.Chaos;

namespace Ariya.Benchmarks.Measuring;

/// <summary>A median with the interval in which it lies with 95 % confidence.</summary>
internal readonly record struct Estimate(double Median, double Low, double High)
{
    public double Width => High - Low;
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
        var draws = new Seeded(20_240_229);
        var medians = new double[Resamples];
        var sample = new double[values.Count];
        for (var round = 0; round < Resamples; round++)
        {
            for (var i = 0; i < sample.Length; i++)
            {
                sample[i] = values[draws.Next(values.Count)];
            }

            medians[round] = Median(sample);
        }

        return new Estimate(Median(values), Percentile(medians, 0.025), Percentile(medians, 0.975));
    }
}
