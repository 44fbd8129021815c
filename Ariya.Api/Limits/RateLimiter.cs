using System.Diagnostics;
using System.Diagnostics.Metrics;

namespace Ariya.Api.Limits;

/// <summary>
/// Admits a request when the local counter and Redis both do. Without Redis the local counter decides alone: then each instance admits what
/// all of them together should, and never more, however often Redis comes and goes.
/// </summary>
internal sealed class RateLimiter(LocalCounter local, SharedCounter shared, LimitMetrics metrics)
{
    public async Task<LimitReceipt> SpendAsync(IReadOnlyList<Bucket> buckets)
    {
        var here = local.Spend(buckets);
        // What is full here is full there, and asking would only help whoever asks too much to keep Redis busy.
        var everywhere = here.IsAdmitted && buckets.Count > 0 ? await shared.SpendAsync(buckets) : null;
        if (here.IsAdmitted && everywhere is { IsAdmitted: false })
        {
            local.GiveBack(buckets, here.At);
        }

        var receipt = new LimitReceipt(here, everywhere);
        metrics.Judged(receipt);
        return receipt;
    }

    /// <summary>For what is asked before Redis may be.</summary>
    public LimitReceipt SpendHere(Bucket bucket)
    {
        var receipt = new LimitReceipt(local.Spend([bucket]), null);
        metrics.Refused(receipt);
        return receipt;
    }

    public async Task<LimitReceipt> PeekAsync(IReadOnlyList<Bucket> buckets) =>
        new(local.Peek(buckets), buckets.Count > 0 ? await shared.PeekAsync(buckets) : null);

    /// <summary>The request succeeded: it was no failure, and the tries before it are forgotten.</summary>
    public Task SucceededAsync(LimitReceipt receipt) => GiveBackAsync(
        receipt, [.. receipt.Buckets.Where(bucket => bucket.Counts == Counted.TriesUntilSuccess)], [.. receipt.Buckets.Where(bucket => bucket.Counts == Counted.Failures)]);

    /// <summary>Nothing came of the request, by no fault of the caller's.</summary>
    public Task UndoneAsync(LimitReceipt receipt) => GiveBackAsync(receipt, [], receipt.Buckets);

    private async Task GiveBackAsync(LimitReceipt receipt, IReadOnlyList<Bucket> emptied, IReadOnlyList<Bucket> returned)
    {
        local.Clear(emptied);
        local.GiveBack(returned, receipt.Here.At);
        if (receipt.Everywhere is { } everywhere && emptied.Count + returned.Count > 0)
        {
            await shared.GiveBackAsync(emptied, returned, everywhere.At);
        }
    }
}

/// <summary>What both counters said of a request.</summary>
/// <param name="Here">In this process.</param>
/// <param name="Everywhere">In Redis; null when it was not asked or did not answer.</param>
internal sealed record LimitReceipt(LimitVerdict Here, LimitVerdict? Everywhere)
{
    public bool IsAdmitted => Here.IsAdmitted && Everywhere is not { IsAdmitted: false };

    public IReadOnlyList<BucketState> States => (Everywhere ?? Here).States;

    public IReadOnlyList<Bucket> Buckets => [.. Here.States.Select(state => state.Bucket)];

    /// <summary>Those without room.</summary>
    public IReadOnlyList<BucketState> Full => IsAdmitted ? [] : [.. States.Where(state => state.Remaining == 0)];
}

/// <summary>Counters for dashboards and alerts: docs/metrics.md names them.</summary>
internal sealed class LimitMetrics
{
    private readonly Counter<long> _refused;
    private readonly Counter<long> _counted;

    public LimitMetrics(IMeterFactory meters)
    {
        var meter = meters.Create(Telemetry.MeterName);
        _refused = meter.CreateCounter<long>("ariya.limits.refused", "{request}", "Requests refused, by the policy that was used up.");
        _counted = meter.CreateCounter<long>("ariya.limits.requests", "{request}", "Requests counted, by where: redis, or process when Redis did not answer.");
    }

    public void Judged(LimitReceipt receipt)
    {
        Refused(receipt);
        if (receipt.IsAdmitted)
        {
            _counted.Add(1, new TagList { { "where", receipt.Everywhere is null ? "process" : "redis" } });
        }
    }

    public void Refused(LimitReceipt receipt)
    {
        foreach (var state in receipt.Full)
        {
            _refused.Add(1, new TagList { { "policy", state.Bucket.Policy } });
        }
    }
}
