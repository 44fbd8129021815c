using System.Globalization;

namespace Ariya.Chaos;

/// <summary>Whether what processes hold grows while nothing is broken: their memory and their open files, early and late.</summary>
internal sealed class Soak
{
    private static readonly string[] s_watched = ["api", "api2", "worker", "worker2"];
    private readonly List<Dictionary<string, (double Megabytes, int Files)>> _looks = [];

    public void Look() => _looks.Add(s_watched.ToDictionary(name => name, name =>
    {
        var folder = $"/proc/{Processes.Of(name)}";
        // The second number of statm: pages in memory.
        var pages = long.Parse(File.ReadAllText($"{folder}/statm").Split(' ')[1], CultureInfo.InvariantCulture);
        return (pages * Environment.SystemPageSize / 1024.0 / 1024.0, Directory.GetFileSystemEntries($"{folder}/fd").Length);
    }));

    /// <summary>The second quarter beside the last: the first is warming up.</summary>
    public void AddTo(Verdict verdict)
    {
        var quarter = _looks.Count / 4;
        if (quarter == 0)
        {
            verdict.Violate($"too short to say whether anything grows");
            return;
        }

        foreach (var name in s_watched)
        {
            var (early, late) = (_looks[quarter..(2 * quarter)], _looks[^quarter..]);
            if (late.Average(look => look[name].Megabytes) > (early.Average(look => look[name].Megabytes) * 1.2) + 20
                || late.Average(look => look[name].Files) > early.Average(look => look[name].Files) + 20)
            {
                verdict.Violate($"what {name} holds grows");
            }

            var (megabytes, files) = (early.Average(look => look[name].Megabytes), early.Average(look => look[name].Files));
            verdict.Figure(
                $"  {name,-8} {megabytes:0} then {late.Average(look => look[name].Megabytes):0} MB, {files:0} then {late.Average(look => look[name].Files):0} open files");
        }
    }
}
