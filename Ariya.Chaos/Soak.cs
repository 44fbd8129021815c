namespace Ariya.Chaos;

/// <summary>What a process holds.</summary>
internal readonly record struct Holdings(double Megabytes, int Files);

/// <summary>Whether what processes hold grows while nothing is broken: their memory and their open files, early and late.</summary>
/// <param name="watched">Their names.</param>
/// <param name="look">What one of them holds now.</param>
[Judges("P64")]
internal sealed class Soak(IReadOnlyList<string> watched, Func<string, Holdings> look)
{
    private readonly List<Dictionary<string, Holdings>> _looks = [];

    public void Look() => _looks.Add(watched.ToDictionary(name => name, look));

    /// <summary>The second quarter beside the last: the first is warming up.</summary>
    public void AddTo(Verdict verdict)
    {
        var quarter = _looks.Count / 4;
        if (quarter == 0)
        {
            verdict.Violate($"too short to say whether anything grows");
            return;
        }

        foreach (var name in watched)
        {
            var (early, late) = (Average(_looks[quarter..(2 * quarter)], name), Average(_looks[^quarter..], name));
            if (late.Megabytes > (early.Megabytes * 1.2) + 20 || late.Files > early.Files + 20)
            {
                verdict.Violate($"what {name} holds grows");
            }

            verdict.Figure($"  {name,-8} {early.Megabytes:0} then {late.Megabytes:0} MB, {early.Files:0} then {late.Files:0} open files");
        }
    }

    private static (double Megabytes, double Files) Average(List<Dictionary<string, Holdings>> looks, string name) =>
        (looks.Average(held => held[name].Megabytes), looks.Average(held => held[name].Files));
}
