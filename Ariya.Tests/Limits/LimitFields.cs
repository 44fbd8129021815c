using Ariya.Tests.Distributed;

namespace Ariya.Tests.Limits;

/// <summary>
/// RateLimit-Policy and RateLimit of an answer, as a client reads them: lists of strings, of which each has two whole numbers and nothing else.
/// </summary>
/// <param name="Policies">Permits and the window in seconds.</param>
/// <param name="Left">What is left and the seconds until there is more.</param>
internal sealed record LimitFields(
    IReadOnlyDictionary<string, (long Permits, long Window)> Policies, IReadOnlyDictionary<string, (long Left, long Wait)> Left)
{
    public static LimitFields Of(HttpResponseMessage answer)
    {
        var fields = new LimitFields(Read(answer.Header("RateLimit-Policy"), "q", "w"), Read(answer.Header("RateLimit"), "r", "t"));
        // Nothing is told of a limit that is not named, and nothing that cannot be.
        Assert.Subset(fields.Policies.Keys.ToHashSet(), fields.Left.Keys.ToHashSet());
        Assert.All(fields.Policies.Values, policy => Assert.True(policy is { Permits: > 0, Window: > 0 }, $"{policy}"));
        Assert.All(fields.Left, left =>
        {
            Assert.InRange(left.Value.Left, 0, fields.Policies[left.Key].Permits);
            Assert.InRange(left.Value.Wait, 0, fields.Policies[left.Key].Window);
        });
        return fields;
    }

    private static Dictionary<string, (long, long)> Read(string header, string first, string second) =>
        StructuredList.Parse(header).ToDictionary(item => Assert.IsType<string>(item.Value), item =>
        {
            Assert.Equal([first, second], item.Parameters.Keys);
            return (Assert.IsType<long>(item.Parameters[first]), Assert.IsType<long>(item.Parameters[second]));
        });
}
