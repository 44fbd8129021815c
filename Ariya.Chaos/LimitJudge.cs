namespace Ariya.Chaos;

/// <summary>
/// Counts what was admitted for one address. A request was admitted between its beginning and its answer; so a span of the window's length
/// admitted at least those that both began and were answered in it.
/// </summary>
[Judges("P35", "P37")]
internal sealed class LimitJudge(Story story, Verdict verdict)
{
    private const int Instances = 2;

    // Until an instance has noticed that Redis is back.
    private const double Noticing = 5;

    public void Judge()
    {
        var (strict, loose, spans) = (0, 0, 0);
        var asked = story.Attempts.Where(attempt => attempt.Invoke.Kind == "ask" && attempt.IsOk);
        var births = story.Troubles.Where(trouble => trouble.Kind is Nemesis.ApiKill or Nemesis.ApiTerm).Select(trouble => trouble.Until).ToList();
        foreach (var address in asked.GroupBy(attempt => attempt.Invoke.Subject))
        {
            var admitted = address.ToList();
            foreach (var first in admitted)
            {
                spans++;
                var (from, until) = (first.Invoke.At, first.Invoke.At + Ensemble.AddressWindow.TotalSeconds);
                var count = admitted.Count(attempt => attempt.Invoke.At >= from && attempt.End!.At <= until);
                var isCounted = !story.Troubles.Any(trouble => IsCountingDisturbed(trouble, from, until));
                (strict, loose) = isCounted ? (Math.Max(strict, count), loose) : (strict, Math.Max(loose, count));
                // A process that began in the span begins to count anew.
                var lives = Instances + births.Count(birth => birth >= from && birth <= until);
                if (count > Ensemble.AddressPermits * (isCounted ? 1 : lives))
                {
                    var how = isCounted ? "with Redis" : $"without Redis, by {lives} processes";
                    verdict.OverAdmitted.Add(FormattableString.Invariant($"{count} requests for {address.Key} from {from:0.0} to {until:0.0} s, {how}"));
                }
            }
        }

        if (strict == 0)
        {
            verdict.Violate($"no span was free of what disturbs counting: run for longer");
        }

        verdict.Figure(
            $"limits: {Ensemble.AddressPermits} permitted in {Ensemble.AddressWindow.TotalSeconds} s; in {spans} spans at most {strict} with Redis, {loose} where it was away");
    }

    // An instance that stood still, or whose way to Redis is slow, finds its calls too old to wait for and decides alone.
    private static bool IsCountingDisturbed(Trouble trouble, double from, double until) =>
        trouble.Kind is Nemesis.RedisKill or Nemesis.RedisPause or Nemesis.RedisFlush or Nemesis.RedisSlow or Nemesis.ApiPause
        && trouble.From <= until && trouble.Until + Noticing >= from;
}
