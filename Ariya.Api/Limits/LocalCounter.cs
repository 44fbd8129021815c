namespace Ariya.Api.Limits;

/// <summary>
/// Exact sliding windows in this process: the times of the requests admitted within each window. It counts all that this process admits,
/// whatever Redis counts beside it, so that a Redis that comes and goes refills nothing. Bounded: the bucket that was asked for
/// longest ago makes room.
/// </summary>
internal sealed class LocalCounter(TimeProvider clock)
{
    public const int MaxBuckets = 100_000;

    private readonly Lock _lock = new();
    private readonly Dictionary<string, LinkedListNode<Window>> _windows = new(StringComparer.Ordinal);
    private readonly LinkedList<Window> _byLastUse = [];

    public int Count
    {
        get
        {
            lock (_lock)
            {
                return _windows.Count;
            }
        }
    }

    /// <summary>Counts a request in every bucket, or in none when one of them is full.</summary>
    public LimitVerdict Spend(IReadOnlyList<Bucket> buckets)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            var isAdmitted = buckets.All(bucket => Current(bucket.Key, now) is not { } window || window.Admissions.Count < bucket.Permits);
            if (isAdmitted)
            {
                foreach (var bucket in buckets)
                {
                    Admit(bucket, now);
                }
            }

            return new LimitVerdict(isAdmitted, States(buckets, now), now);
        }
    }

    /// <summary>What a request would find.</summary>
    public LimitVerdict Peek(IReadOnlyList<Bucket> buckets)
    {
        lock (_lock)
        {
            var now = clock.GetTimestamp();
            return new LimitVerdict(true, States(buckets, now), now);
        }
    }

    /// <summary>Takes one request out of the count.</summary>
    public void GiveBack(IEnumerable<Bucket> buckets, long at)
    {
        lock (_lock)
        {
            foreach (var bucket in buckets)
            {
                if (_windows.TryGetValue(bucket.Key, out var node) && node.Value.Admissions.Contains(at))
                {
                    var times = node.Value.Admissions.ToList();
                    times.Remove(at);
                    node.Value.Admissions = new Queue<long>(times);
                }
            }
        }
    }

    public void Clear(IEnumerable<Bucket> buckets)
    {
        lock (_lock)
        {
            foreach (var bucket in buckets)
            {
                if (_windows.Remove(bucket.Key, out var node))
                {
                    _byLastUse.Remove(node);
                }
            }
        }
    }

    private List<BucketState> States(IReadOnlyList<Bucket> buckets, long now)
    {
        var states = new List<BucketState>(buckets.Count);
        foreach (var bucket in buckets)
        {
            states.Add(Current(bucket.Key, now) is { Admissions.Count: > 0 } window
                ? new BucketState(bucket, window.Admissions.Count, bucket.Window - clock.GetElapsedTime(window.Admissions.Peek(), now))
                : new BucketState(bucket, 0, TimeSpan.Zero));
        }

        return states;
    }

    private Window? Current(string key, long now)
    {
        if (!_windows.TryGetValue(key, out var node))
        {
            return null;
        }

        _byLastUse.Remove(node);
        _byLastUse.AddLast(node);
        node.Value.Forget(clock, now);
        return node.Value;
    }

    private void Admit(Bucket bucket, long now)
    {
        if (!_windows.TryGetValue(bucket.Key, out var node))
        {
            MakeRoom(now);
            node = _byLastUse.AddLast(new Window(bucket.Key, bucket.Window));
            _windows.Add(bucket.Key, node);
        }

        node.Value.Admissions.Enqueue(now);
    }

    // Two for one: what is over goes at least as fast as what comes.
    private void MakeRoom(long now)
    {
        for (var looked = 0; looked < 2 && _byLastUse.First is { } oldest; looked++)
        {
            oldest.Value.Forget(clock, now);
            if (oldest.Value.Admissions.Count > 0 && _windows.Count < MaxBuckets)
            {
                return;
            }

            _byLastUse.Remove(oldest);
            _windows.Remove(oldest.Value.Key);
        }
    }

    private sealed class Window(string key, TimeSpan length)
    {
        public string Key => key;

        public Queue<long> Admissions { get; set; } = new(1);

        public void Forget(TimeProvider clock, long now)
        {
            while (Admissions.TryPeek(out var oldest) && clock.GetElapsedTime(oldest, now) > length)
            {
                Admissions.Dequeue();
            }
        }
    }
}
