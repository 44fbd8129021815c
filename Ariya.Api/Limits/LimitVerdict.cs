namespace Ariya.Api.Limits;

/// <summary>What is known of a bucket after a request.</summary>
/// <param name="Bucket">Which.</param>
/// <param name="Used">Requests counted within the window, this one among them if it was admitted.</param>
/// <param name="Wait">Until the oldest of them is out of the window: then one more is admitted. Zero when none is counted.</param>
internal readonly record struct BucketState(Bucket Bucket, int Used, TimeSpan Wait)
{
    public int Remaining => Math.Max(0, Bucket.Permits - Used);
}

/// <summary>Whether a request is admitted: all of its buckets have room, or none is drawn from.</summary>
/// <param name="IsAdmitted">What was judged.</param>
/// <param name="States">One for each bucket, in their order.</param>
/// <param name="At">When it was counted, by the counter's own clock: what names it when it is given back.</param>
internal sealed record LimitVerdict(bool IsAdmitted, IReadOnlyList<BucketState> States, long At);
