using System.Globalization;
using System.Text;

namespace Ariya.Benchmarks.Measuring;

/// <summary>A figure with a ceiling.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Value">In its unit.</param>
/// <param name="Ceiling">The most it may be.</param>
/// <param name="Unit">Of both.</param>
internal sealed record Reading(string Name, double Value, double Ceiling, string Unit)
{
    public Verdict Verdict => Value <= Ceiling ? Verdict.Pass : Verdict.Fail;
}

/// <summary>What a run found, as Markdown.</summary>
internal sealed class Report(string folder)
{
    private readonly List<Finding> _findings = [];
    private readonly List<Reading> _readings = [];
    private readonly List<string> _notes = [];
    private readonly List<string> _notRun = [];
    private readonly List<string> _plots = [];
    private bool _hasBroken;

    /// <summary>
    /// The controls: a side against itself must be as fast as itself, or the machine was too restless for the others to mean anything. Nor may it have changed
    /// its speed so often that more rounds of a comparison were dropped than are left.
    /// </summary>
    public bool IsVoid => _findings.Any(finding => finding.IsShort)
        || _findings.Any(finding => finding is { IsControl: true, Holds: false });

    public bool HasFailed => _hasBroken || _findings.Any(finding => finding.Verdict == Verdict.Fail) || _readings.Any(reading => reading.Verdict == Verdict.Fail);

    public void Add(Finding finding) => _findings.Add(finding);

    public void Add(Reading reading)
    {
        _readings.Add(reading);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{reading.Name} … {reading.Value:0.0} {reading.Unit} (at most {reading.Ceiling:0.#})"));
    }

    public void Note(string note)
    {
        _notes.Add(note);
        Console.WriteLine(note);
    }

    public void NotRun(string what, string why) => _notRun.Add($"{what}: {why}");

    /// <summary>A scenario ended before its end.</summary>
    public void Broke(string scenario, Exception exception)
    {
        _hasBroken = true;
        NotRun(scenario, exception.Message.ReplaceLineEndings(" "));
        Console.WriteLine($"{scenario} broke: {exception}");
    }

    public void Plot(string title, IReadOnlyList<PlotPoint> points)
    {
        Directory.CreateDirectory(folder);
        var name = $"{title.ToLowerInvariant().Replace(' ', '-')}.svg";
        File.WriteAllText(Path.Combine(folder, name), GrowthPlot.Draw(title, points));
        _plots.Add(name);
    }

    /// <param name="conditions">What ran where, a line each.</param>
    /// <returns>The path of the report.</returns>
    public string Write(IReadOnlyList<string> conditions)
    {
        var text = new StringBuilder();
        conditions.ToList().ForEach(condition => text.Append("- ").AppendLine(condition));
        _notes.ForEach(note => text.Append("- ").AppendLine(note));
        text.AppendLine().AppendLine("| comparison | against | ratio, 95 % | at least | | rates a second | rounds |").AppendLine("|---|---|---|---|---|---|---|");
        foreach (var finding in _findings.OrderBy(finding => finding.IsControl))
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {finding.Name} | {finding.Second} | **{finding.Ratio.Median:0.00}** [{finding.Ratio.Low:0.00}, {finding.Ratio.High:0.00}] | {finding.Target:0.00} | {Word(finding.Verdict)} | {finding.FirstRate:0.#}, {finding.SecondRate:0.#} {finding.Unit} | {finding.Rounds}{(finding.Dropped > 0 ? $", {finding.Dropped} dropped" : "")} |"));
        }

        text.AppendLine().AppendLine("| figure | is | at most | |").AppendLine("|---|---|---|---|");
        foreach (var reading in _readings)
        {
            text.AppendLine(string.Create(CultureInfo.InvariantCulture,
                $"| {reading.Name} | {reading.Value:0.0} {reading.Unit} | {reading.Ceiling:0.#} | {Word(reading.Verdict)} |"));
        }

        text.AppendLine();
        _notRun.ForEach(line => text.Append("- Not run: ").AppendLine(line));
        _plots.ForEach(name => text.AppendLine().Append("![](").Append(name).AppendLine(")"));
        text.AppendLine().AppendLine(IsVoid ? "VOID: a control is not 1.00, or wider than 0.16 from end to end, or more rounds of a line were dropped than are left. The machine was too restless."
            : _findings.Any(finding => finding.IsControl) ? "The controls hold: a side against itself is 1.00." : "No control was among these.");
        Directory.CreateDirectory(folder);
        var path = Path.Combine(folder, "report.md");
        File.WriteAllText(path, text.ToString());
        return path;
    }

    private static string Word(Verdict verdict) => verdict switch
    {
        Verdict.Pass => "pass",
        Verdict.Fail => "**miss**",
        Verdict.Inconclusive => "open",
        Verdict.None => "",
    };
}
