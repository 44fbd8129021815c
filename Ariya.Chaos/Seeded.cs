namespace Ariya.Chaos;

/// <summary>
/// Numbers that a seed repeats (SplitMix64). Everybody who draws has one of their own, so that what one draws does not depend on how fast
/// the others are.
/// </summary>
internal sealed class Seeded(ulong seed)
{
    private ulong _state = seed;

    public static Seeded For(long seed, int who) => new(((ulong)seed * 0x9E3779B97F4A7C15) ^ ((ulong)(who + 1) << 32));

    /// <summary>From 0 to one less than <paramref name="bound"/>.</summary>
    public int Next(int bound)
    {
        _state += 0x9E3779B97F4A7C15;
        var mixed = (_state ^ (_state >> 30)) * 0xBF58476D1CE4E5B9;
        mixed = (mixed ^ (mixed >> 27)) * 0x94D049BB133111EB;
        return (int)((mixed ^ (mixed >> 31)) % (ulong)bound);
    }

    public TimeSpan Seconds(int atLeast, int atMost) => TimeSpan.FromMilliseconds((atLeast * 1000) + Next((atMost - atLeast) * 1000));

    public void Shuffle<T>(T[] items)
    {
        for (var n = items.Length - 1; n > 0; n--)
        {
            var other = Next(n + 1);
            (items[n], items[other]) = (items[other], items[n]);
        }
    }
}
