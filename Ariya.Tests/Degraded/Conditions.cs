using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Degraded;

internal static class Conditions
{
    /// <summary>Until an instance reports Redis to be in a state; a fault is over, or noticed, within ten seconds.</summary>
    public static Task<JsonNode> UntilRedisAsync(HttpClient api, string status) => UntilAsync(api, "redis", status);

    public static Task<JsonNode> UntilDatabaseAsync(HttpClient api, string status) => UntilAsync(api, "database", status);

    private static Task<JsonNode> UntilAsync(HttpClient api, string server, string status) =>
        Wait.UntilAsync($"{server} {status}", TimeSpan.FromSeconds(10), async () =>
        {
            using var answer = await api.GetAsync(new Uri("/api/health", UriKind.Relative));
            var report = (await answer.Content.ReadFromJsonAsync<JsonNode>())!;
            return (string?)report["checks"]![server]!["status"] == status ? report : null;
        });
}
