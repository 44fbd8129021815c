using System.Net;
using System.Net.Http.Headers;

namespace Ariya.Tests.Distributed;

/// <summary>Requests whose SQL can be told from everybody else's, by their trace.</summary>
internal static class TracedRequests
{
    /// <summary>Sends a request and answers with every round trip that it made to PostgreSQL, in order.</summary>
    public static async Task<(HttpResponseMessage Answer, List<string> Sql)> TracedAsync(
        this RunningAriya ariya, HttpRequestMessage request, HttpClient? api = null)
    {
        var traceId = Convert.ToHexStringLower(Guid.CreateVersion7().ToByteArray());
        request.Headers.Add("traceparent", $"00-{traceId}-00f067aa0ba902b7-01");
        var service = api == ariya.OtherApi ? "api2" : "api";
        var answer = await (api ?? ariya.Api).SendAsync(request);
        // Spans are sent in the order in which they ended: when the request's is there, those within it are.
        var spans = await Wait.UntilAsync($"the span of {request.Method} {request.RequestUri}", TimeSpan.FromSeconds(20), () =>
        {
            var found = ariya.Collector.Spans.Where(span => span.TraceId == traceId && span.Service == service).ToList();
            return Task.FromResult(found.Any(span => span.Name.StartsWith($"{request.Method} ", StringComparison.Ordinal)) ? found : null);
        });
        return (answer, [.. spans.Where(span => span.Sql is not null).Select(span => span.Sql!)]);
    }

    /// <summary>GET of the own account.</summary>
    public static HttpRequestMessage AccountRequest(Tokens tokens)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/account");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", tokens.Access);
        return request;
    }

    /// <summary>Until an instance answers for a token without asking PostgreSQL. An account that changed lately is always asked for.</summary>
    public static async Task WarmUpAsync(this RunningAriya ariya, Tokens tokens, HttpClient api)
    {
        Assert.Equal(1, await ariya.SqlAsync(
            "update accounts set updated_at = clock_timestamp() - interval '1 minute' where id = $1", Guid.Parse((string)tokens.Body["account"]!["id"]!)));
        await Wait.UntilAsync("a warm token", TimeSpan.FromSeconds(20), async () =>
        {
            using var request = AccountRequest(tokens);
            var (answer, sql) = await ariya.TracedAsync(request, api);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
            return sql.Count == 0 ? answer : null;
        });
    }
}
