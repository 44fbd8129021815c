using System.Text.RegularExpressions;

namespace Ariya.Tests.Distributed;

internal static partial class Answers
{
    /// <summary>
    /// Status, headers and body of an answer as one text. Two callers who must not learn anything from the difference get the same
    /// text: only the date, the trace and what is left of the caller's limits may differ.
    /// </summary>
    public static async Task<string> ShapeAsync(HttpResponseMessage answer)
    {
        var headers = answer.Headers.Concat(answer.Content.Headers)
            .Where(header => header.Key is not ("Date" or "RateLimit" or "X-RateLimit-Remaining" or "X-RateLimit-Reset"))
            .Select(header => $"{header.Key}: {string.Join(", ", header.Value)}").Order();
        var body = TraceId().Replace(await answer.Content.ReadAsStringAsync(), "\"traceId\":\"\"");
        return $"{(int)answer.StatusCode}\n{string.Join('\n', headers)}\n\n{body}";
    }

    /// <summary>A header of an answer; empty when it has none.</summary>
    public static string Header(this HttpResponseMessage answer, string name) =>
        answer.Headers.TryGetValues(name, out var values) ? string.Join(", ", values) : "";

    [GeneratedRegex("\"traceId\":\"[^\"]*\"")]
    private static partial Regex TraceId();
}

/// <summary>Networks of their own for people who must not be taken for one another.</summary>
internal static class Networks
{
    private static int s_last;

    /// <summary>An IPv4 address in a /24 that no other test calls from.</summary>
    public static string Next()
    {
        var number = Interlocked.Increment(ref s_last);
        return $"10.{number >> 8}.{number & 255}.7";
    }
}
