namespace Ariya.Chaos;

/// <summary>How long each kind of fault was felt after its repair, and what was lost when an instance was asked to end.</summary>
[Judges("P52", "P59")]
internal sealed class FaultFigures(Story story, IReadOnlyList<Copy> copies, double loadEnded, Verdict verdict)
{
    private const double LongestRecovery = 10;

    // What was sent in the first half of the time in which the instance serves on: the other half is for a busy machine.
    private const double ServesOn = Ensemble.Drain / 2.0;

    public void Add()
    {
        var repaired = story.Troubles.Where(trouble => trouble.Until <= loadEnded);
        foreach (var kind in repaired.GroupBy(trouble => trouble.Kind).OrderBy(group => group.Key))
        {
            var worst = kind.Select(Recovery).MaxBy(recovery => recovery.Seconds);
            if (worst is { Seconds: > LongestRecovery, IsCutOff: false })
            {
                verdict.Violate($"{kind.Key} was felt for {worst.Seconds:0.0} s after its repair");
            }

            verdict.Figure($"  {kind.Key,-20} {kind.Count(),3} times, felt for {(worst.IsCutOff ? ">" : "")}{worst.Seconds:0.0} s after the repair at worst");
        }

        AddShutdowns();
    }

    private void AddShutdowns()
    {
        var (dropped, late) = (0, 0);
        var shutdowns = story.Troubles.Where(trouble => trouble.Kind == Nemesis.ApiTerm).ToList();
        foreach (var shutdown in shutdowns)
        {
            var unanswered = story.Attempts.Where(attempt => attempt.Invoke.Instance == shutdown.Target
                && attempt.End is { Phase: Entry.Unknown, Sent: not null } end && end.At >= shutdown.From && end.Sent < shutdown.Until
                // A client that hung up was not dropped.
                && end.Value != Caller.HungUp);
            foreach (var attempt in unanswered)
            {
                var after = attempt.End!.Sent!.Value - shutdown.From;
                if (after > ServesOn)
                {
                    late++;
                    continue;
                }

                dropped++;
                verdict.Violate(
                    $"dropped at shutdown: {attempt.Invoke.Kind} of {attempt.Invoke.Subject}, sent {after:0.000} s after the signal: {attempt.End.Value}");
            }
        }

        verdict.Figure($"dropped at shutdown: {dropped} in {shutdowns.Count} shutdowns; of requests sent more than {ServesOn:0.0} s after the signal {late} had no answer");
    }

    private (double Seconds, bool IsCutOff) Recovery(Trouble trouble)
    {
        var next = story.Troubles.Select(other => other.From).Where(from => from > trouble.Until).Append(loadEnded).Min();
        if (trouble.Kind.StartsWith("worker", StringComparison.Ordinal) || trouble.Kind.StartsWith("relay", StringComparison.Ordinal))
        {
            // Nothing of it is felt at the API: the first mail tells.
            return copies.FirstOrDefault(copy => copy.At > trouble.Until) is { } copy && copy.At < next
                ? (copy.At - trouble.Until, false)
                : (next - trouble.Until, true);
        }

        var ends = story.Attempts.Select(attempt => attempt.End).OfType<Entry>()
            .Where(end => end.At >= trouble.Until && end.At < next).ToList();
        for (var second = trouble.Until; second + 1 <= next; second++)
        {
            var inIt = ends.Where(end => end.At >= second && end.At < second + 1).ToList();
            if (inIt.Any(end => end.Phase == Entry.Ok) && inIt.All(end => end.Phase is Entry.Ok or Entry.Fail && end.Status != 503))
            {
                return (second - trouble.Until, false);
            }
        }

        return (next - trouble.Until, true);
    }
}
