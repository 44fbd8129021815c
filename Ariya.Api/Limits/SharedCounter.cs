using Ariya.Api.Redis;
using StackExchange.Redis;

namespace Ariya.Api.Limits;

/// <summary>
/// Exact sliding windows in Redis, shared by all instances: a bucket is a list of the times of its admitted requests, oldest first. One script
/// call judges all buckets of a request, on the clock of Redis. Its keys lie in no common hash slot: Redis Cluster is not supported.
/// </summary>
internal sealed class SharedCounter(RedisCalls redis, TimeProvider clock)
{
    // KEYS: the buckets. ARGV: 'spend' or 'peek', then permits and window in microseconds of each bucket, then the time after which
    // nobody waits for the answer any more, or 0.
    // Answers: admitted (or 2: too late), its time, then requests counted and microseconds until the oldest leaves, of each bucket.
    internal const string JudgeScript =
        """
        local time = redis.call('TIME')
        local now = time[1] * 1000000 + time[2]
        local deadline = tonumber(ARGV[2 * #KEYS + 2])
        if deadline > 0 and now > deadline then
          return {2, string.format('%.0f', now)}
        end
        local states = {}
        local admitted = 1
        for i, key in ipairs(KEYS) do
          local permits = tonumber(ARGV[2 * i])
          local window = tonumber(ARGV[2 * i + 1])
          local oldest = redis.pcall('LINDEX', key, 0)
          -- Somebody else's value under this key, or times far ahead because the clock was set back: the count begins anew.
          if type(oldest) == 'table' or (oldest and (tonumber(oldest) or math.huge) > now + window) then
            redis.call('DEL', key)
            oldest = false
          end
          while oldest and tonumber(oldest) < now - window do
            redis.call('LPOP', key)
            oldest = redis.call('LINDEX', key, 0)
          end
          local used = 0
          local wait = 0
          if oldest then
            used = redis.call('LLEN', key)
            wait = tonumber(oldest) + window - now + 1
          end
          if used >= permits then
            admitted = 0
          end
          states[2 * i + 1] = used
          states[2 * i + 2] = wait
        end
        states[1] = admitted
        states[2] = string.format('%.0f', now)
        if admitted == 1 and ARGV[1] == 'spend' then
          for i, key in ipairs(KEYS) do
            redis.call('RPUSH', key, states[2])
            redis.call('PEXPIRE', key, string.format('%.0f', math.ceil(ARGV[2 * i + 1] / 1000) + 1))
            states[2 * i + 1] = states[2 * i + 1] + 1
            if states[2 * i + 1] == 1 then
              states[2 * i + 2] = tonumber(ARGV[2 * i + 1])
            end
          end
        end
        return states
        """;

    // KEYS: the buckets. ARGV: the time of the request, how many of the first buckets are emptied.
    private const string GiveBackScript =
        """
        for i, key in ipairs(KEYS) do
          if i <= tonumber(ARGV[2]) then
            redis.call('DEL', key)
          else
            redis.call('LREM', key, -1, ARGV[1])
          end
        end
        return 1
        """;

    private const int TooLate = 2;

    // By how much the clock of Redis is ahead of this process's, in microseconds, as the fastest call found; 0 while it is not known.
    private long _ahead;

    /// <summary>Null when Redis does not answer in time: then the local counter's verdict is all there is, and nothing was counted here.</summary>
    public Task<LimitVerdict?> SpendAsync(IReadOnlyList<Bucket> buckets) => JudgeAsync("spend", buckets);

    public Task<LimitVerdict?> PeekAsync(IReadOnlyList<Bucket> buckets) => JudgeAsync("peek", buckets);

    /// <param name="emptied">Buckets whose whole count is given back.</param>
    /// <param name="returned">Buckets that get one request back.</param>
    /// <param name="at">When that request was counted.</param>
    public Task GiveBackAsync(IReadOnlyList<Bucket> emptied, IReadOnlyList<Bucket> returned, long at)
    {
        RedisKey[] keys = [.. emptied.Concat(returned).Select(bucket => (RedisKey)bucket.Key)];
        return redis.CallAsync(database => database.ScriptEvaluateAsync(GiveBackScript, keys, [at, emptied.Count]));
    }

    private async Task<LimitVerdict?> JudgeAsync(string how, IReadOnlyList<Bucket> buckets)
    {
        // A server that stood still does what it was asked for once it goes on. Whoever signed in meanwhile would find their tries used up.
        var ahead = Volatile.Read(ref _ahead);
        var answer = await AskAsync(how, buckets, ahead == 0 ? 0 : Now() + ahead + (long)redis.Patience.TotalMicroseconds);
        if (answer is not null && (int)answer[0] == TooLate)
        {
            // And here it is all the same: its clock was set, or goes faster.
            Volatile.Write(ref _ahead, 0);
            answer = await AskAsync(how, buckets, deadline: 0);
        }

        if (answer is null)
        {
            return null;
        }

        var states = buckets.Select((bucket, i) =>
            new BucketState(bucket, (int)answer[(2 * i) + 2], TimeSpan.FromMicroseconds((double)answer[(2 * i) + 3])));
        return new LimitVerdict((int)answer[0] == 1, [.. states], (long)answer[1]);
    }

    private async Task<RedisValue[]?> AskAsync(string how, IReadOnlyList<Bucket> buckets, long deadline)
    {
        var keys = new RedisKey[buckets.Count];
        var values = new RedisValue[(2 * buckets.Count) + 2];
        values[0] = how;
        for (var i = 0; i < buckets.Count; i++)
        {
            keys[i] = buckets[i].Key;
            values[(2 * i) + 1] = buckets[i].Permits;
            values[(2 * i) + 2] = (long)buckets[i].Window.TotalMicroseconds;
        }

        values[^1] = deadline;
        var sent = Now();
        var answer = (RedisValue[]?)await redis.CallAsync(database => database.ScriptEvaluateAsync(JudgeScript, keys, values));
        if (answer is not null)
        {
            var (known, found) = (Volatile.Read(ref _ahead), (long)answer[1] - sent);
            Volatile.Write(ref _ahead, known == 0 ? found : Math.Min(known, found));
        }

        return answer;
    }

    private long Now() => (long)clock.GetElapsedTime(0).TotalMicroseconds;
}
