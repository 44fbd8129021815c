using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Api.Health;
using Ariya.Data.Outbox;
using Ariya.Tests.ServiceDefaults;

namespace Ariya.Tests.Contract;

public sealed class HealthReportTests
{
    private static readonly Answer<bool> s_redis = new(true, 1);
    private static readonly WorkerNews s_news =
        new(RelayStates.Answers, RelayLatencyMs: 12, AgeSeconds: 3, ContactAgeSeconds: 4, OverdueSeconds: null);

    [Fact]
    [Trait("Promise", "P61")]
    public async Task WithoutTheDatabaseItIsUnhealthyAndTellsNothingOfIt()
    {
        await using var api = new ApiHost();

        using var answer = await api.SendAsync(HttpMethod.Get, "/api/health", signedIn: false);

        Assert.Equal(HttpStatusCode.ServiceUnavailable, answer.StatusCode);
        var text = await answer.Content.ReadAsStringAsync();
        var report = JsonNode.Parse(text)!;
        Assert.Equal(["status", "uptimeSeconds", "memoryBytes", "checks"], report.AsObject().Select(member => member.Key));
        Assert.Equal(["database", "redis", "smtp", "outbox"], report["checks"]!.AsObject().Select(member => member.Key));
        Assert.Equal("unhealthy", (string?)report["status"]);
        Assert.Equal("unhealthy", (string?)report["checks"]!["database"]!["status"]);
        Assert.Equal("unknown", (string?)report["checks"]!["smtp"]!["status"]);
        Assert.True((long?)report["memoryBytes"] > 0);
        Assert.DoesNotContain("127.0.0.1", text, StringComparison.Ordinal);
        Assert.DoesNotContain("xception", text, StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Promise", "P61")]
    public async Task ServersThatHangHoldUpNoReport()
    {
        using var database = WebHost.StartSilentServer();
        using var redis = WebHost.StartSilentServer();
        await using var api = ApiHost.With(ApiHost.DatabaseAt(WebHost.PortOf(database)), $"127.0.0.1:{WebHost.PortOf(redis)}");
        using var client = api.CreateClient();
        // Nor does a token make it look into the database.
        client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", "unknown");
        using var alive = await client.GetAsync("/alive");

        // Of the first ones nothing is known yet.
        for (var ask = 0; ask < 20; ask++)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await client.GetAsync("/api/health");
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, TimeSpan.FromSeconds(1));
            Assert.Equal("unhealthy", (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["checks"]!["redis"]!["status"]);
        }

        var asked = Stopwatch.GetTimestamp();
        using var ready = await client.GetAsync("/health");
        Assert.InRange(Stopwatch.GetElapsedTime(asked), TimeSpan.Zero, TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
    }

    [Fact]
    public void WithEverythingThereItIsHealthy()
    {
        var checks = HealthChecksBody.Judge(new(s_news, 2), s_redis);
        Assert.Equal("healthy", checks.Status);
        Assert.Equal(new ServerHealth("healthy", 12), checks.Smtp);
        Assert.Equal(new OutboxHealth("healthy", 3, 4, null), checks.Outbox);
    }

    [Fact]
    [Trait("Promise", "P61")]
    public void WithoutRedisItIsDegraded()
    {
        var checks = HealthChecksBody.Judge(new(s_news, 2), null);
        Assert.Equal(("degraded", "unhealthy"), (checks.Status, checks.Redis.Status));
    }

    [Fact]
    [Trait("Promise", "P61")]
    public void WithoutTheRelayItIsDegraded()
    {
        var checks = HealthChecksBody.Judge(new(s_news with { RelayState = RelayStates.Away }, 2), s_redis);
        Assert.Equal(("degraded", "unhealthy", "healthy"), (checks.Status, checks.Smtp.Status, checks.Outbox.Status));
    }

    [Theory]
    [InlineData(null)]
    [InlineData(21)]
    public void WithoutAWorkerNothingIsKnownOfTheRelay(int? age)
    {
        var checks = HealthChecksBody.Judge(new(s_news with { AgeSeconds = age }, 2), s_redis);
        Assert.Equal(("degraded", "unknown", "degraded"), (checks.Status, checks.Smtp.Status, checks.Outbox.Status));
    }

    [Fact]
    public void AMailThatNobodySendsIsSeen()
    {
        var checks = HealthChecksBody.Judge(new(s_news with { OverdueSeconds = 301 }, 2), s_redis);
        Assert.Equal(("degraded", "healthy", "degraded"), (checks.Status, checks.Smtp.Status, checks.Outbox.Status));
    }
}
