namespace Ariya.Chaos;

/// <summary>
/// Every row came to an end with a reason, every mail that is said to be sent arrived, and none came twice without one of the three windows.
/// </summary>
[Judges("P45", "P48")]
internal sealed class MailJudge(Story story, IReadOnlyList<Copy> copies, IReadOnlyList<MailRow> rows, Verdict verdict)
{
    // An answer is written down within 50 ms and a round trip; a busy machine takes longer.
    private const double Settling = 2;

    // The relay refuses nobody for good and is away for seconds: no mail may end as dead or expired.
    private static readonly string[] s_final = ["sent", "dropped", "superseded"];

    // Not a relay that is silent for a few seconds or says 4xx to a recipient; and the workers' way to the database loses no bytes.
    private static readonly string[] s_interrupting =
    [
        Nemesis.WorkerKill, Nemesis.WorkerPause, Nemesis.PostgresRestart, Nemesis.RelayRefuses,
    ];

    public void Judge()
    {
        var byMail = copies.ToLookup(copy => copy.MessageId);
        var doubled = new Dictionary<string, int>();
        foreach (var row in rows)
        {
            if (!s_final.Contains(row.State) || row.Reason is null)
            {
                verdict.Violate($"mail {row.Id} ({row.Kind}) to {row.Recipient} is {row.State}, reason '{row.Reason}'");
            }

            var taken = byMail[row.MailId].OrderBy(copy => copy.At).ToList();
            if (row.State == "sent" && taken.Count == 0)
            {
                verdict.Lose($"mail {row.Id} ({row.Kind}) to {row.Recipient}: it is said to be sent");
            }

            if (row.Recipient is not null && taken.Find(copy => copy.Recipient != row.Recipient) is { } astray)
            {
                verdict.Violate($"mail {row.Id} ({row.Kind}) to {row.Recipient} went to {astray.Recipient}");
            }

            if (taken.DistinctBy(copy => copy.Token).Count() > 1)
            {
                verdict.Violate($"copies of mail {row.Id} have different links");
            }

            foreach (var (copy, next) in taken.Zip(taken.Skip(1)))
            {
                var why = Why(copy, next);
                if (why is null)
                {
                    verdict.Violate(
                        $"mail {row.Id} ({row.Kind}) to {row.Recipient} came at {copy.At:0.00} s and again at {next.At:0.00} s, and nothing was broken");
                }

                why ??= "no reason";
                doubled[why] = doubled.GetValueOrDefault(why) + 1;
            }
        }

        var known = rows.Select(row => row.MailId).ToHashSet();
        foreach (var stranger in copies.Where(copy => !known.Contains(copy.MessageId)).DistinctBy(copy => copy.MessageId))
        {
            verdict.Violate($"mail with Message-ID {stranger.MessageId:N} to {stranger.Recipient} has no row");
        }

        var states = string.Join(", ", rows.CountBy(row => row.State).OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} {pair.Key}"));
        var reasons = doubled.Count == 0 ? "" : $" ({string.Join(", ", doubled.OrderBy(pair => pair.Key).Select(pair => $"{pair.Value} {pair.Key}"))})";
        verdict.Figure($"mails: {rows.Count} rows ({states}); {copies.Count} copies taken, {doubled.Values.Sum()} of them doubled{reasons}");
    }

    /// <summary>
    /// The window that made a second copy: the relay hung up instead of answering, or the first was handed over while a worker or the database was
    /// broken or the relay went away, or so shortly before that the answer was not written down yet; and the second came after that. A broken worker
    /// is a reason for what it handed over itself.
    /// </summary>
    private string? Why(Copy copy, Copy next) => !copy.IsAnswered
        ? "answer lost"
        : story.Troubles.FirstOrDefault(trouble => s_interrupting.Contains(trouble.Kind)
            && (trouble.Kind is not (Nemesis.WorkerKill or Nemesis.WorkerPause) || trouble.Target == copy.Worker || trouble.Target == next.Worker)
            && copy.At >= trouble.From - Settling && copy.At <= trouble.Until + Settling && next.At >= trouble.From)?.Kind;
}
