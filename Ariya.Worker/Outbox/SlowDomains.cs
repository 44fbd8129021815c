namespace Ariya.Worker.Outbox;

/// <summary>Receivers' domains whose dialogues take long. Guarded by the lanes' lock.</summary>
internal sealed class SlowDomains(OutboxOptions options, TimeProvider clock)
{
    private const int MaxKept = 1000;
    private static readonly TimeSpan s_forgotten = TimeSpan.FromMinutes(10);

    private readonly Dictionary<string, long> _seenAt = [];

    public bool IsEmpty => _seenAt.Count == 0;

    public bool Contains(string domain) => _seenAt.ContainsKey(domain);

    /// <summary>Whether a lane's dialogue goes on for so long that it does not count among the lanes that work.</summary>
    public bool IsHanging(Lane lane) => lane.IsTaken && clock.GetElapsedTime(lane.Since) >= options.SlowAfter;

    /// <summary>How many lanes all slow domains may have together.</summary>
    public int MostInAll => (2 * options.Connections) - Math.Max(1, options.Connections / 2);

    /// <summary>How many lanes a domain may have at once: all of them while nobody is slow.</summary>
    public int Limit(string domain, List<Lane> lanes) =>
        Contains(domain) || lanes.Exists(IsHanging) ? Math.Max(1, options.Connections / 2) : options.Connections;

    /// <summary>Notices dialogues that hang, and forgets domains that nothing was sent to for long.</summary>
    public void Look(List<Lane> lanes)
    {
        foreach (var lane in lanes.Where(lane => lane.Mail is not null && IsHanging(lane)))
        {
            Remember(lane.Mail!.Domain);
        }

        foreach (var (domain, _) in _seenAt.Where(seen => clock.GetElapsedTime(seen.Value) > s_forgotten).ToList())
        {
            _seenAt.Remove(domain);
        }
    }

    /// <summary>A dialogue ended.</summary>
    public void Note(string domain, TimeSpan duration)
    {
        if (duration >= options.SlowAfter)
        {
            Remember(domain);
        }
        else
        {
            _seenAt.Remove(domain);
        }
    }

    private void Remember(string domain)
    {
        if (_seenAt.Count < MaxKept || _seenAt.ContainsKey(domain))
        {
            _seenAt[domain] = clock.GetTimestamp();
        }
    }
}
