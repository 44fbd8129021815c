using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Data;
using Ariya.Tests.Distributed;
using Aspire.Hosting.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Tests.Contract;

[Collection(RunningAriyaTests.Name)]
public sealed class HealthOfServersTests(RunningAriya ariya)
{
    [Fact]
    public async Task TheRunningApplicationIsHealthy()
    {
        var report = await Wait.UntilAsync("a healthy report", TimeSpan.FromSeconds(30), async () =>
        {
            using var answer = await ariya.Api.GetAsync("/api/health");
            var text = await answer.Content.ReadAsStringAsync();
            // Numbers and states: neither names of hosts nor versions.
            Assert.DoesNotMatch(@"[0-9]\.[0-9]|localhost|\.NET|PostgreSQL|Garnet|smtp://", text);
            Assert.DoesNotContain(Environment.MachineName, text, StringComparison.OrdinalIgnoreCase);
            var read = JsonNode.Parse(text)!.AsObject();
            return (string?)read["status"] == "healthy" ? read : null;
        });
        Assert.InRange((int)report["checks"]!["outbox"]!["heartbeatAgeSeconds"]!, 0, 20);
        Assert.True((int?)report["checks"]!["smtp"]!["latencyMs"] >= 0);
    }

    [Fact]
    [Trait("Promise", "P61")]
    public async Task WithoutRedisTheWorkersLastWordStillCounts()
    {
        var ariyadb = (await ariya.App.GetConnectionStringAsync("ariyadb"))!;
        var connection = new NpgsqlConnectionStringBuilder(ariyadb) { Database = "health_report" };
        await using var server = NpgsqlDataSource.Create(ariyadb);
        await ExecuteAsync(server, "create database health_report");
        await using var api = ApiHost.With(connection.ConnectionString, null);
        await using (var schema = new AriyaDbContext(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql(connection.ConnectionString).Options))
        {
            await schema.Database.MigrateAsync();
        }

        await using var database = NpgsqlDataSource.Create(connection.ConnectionString);
        await SeesAsync(api, smtp: "unknown", outbox: "degraded");

        await ExecuteAsync(database, "insert into worker_heartbeats (worker_id, relay_state, relay_latency_ms, relay_contact_at) "
            + "values (gen_random_uuid(), 'answers', 7, clock_timestamp())");
        await SeesAsync(api, smtp: "healthy", outbox: "healthy");

        await ExecuteAsync(database, "update worker_heartbeats set relay_state = 'away'");
        await SeesAsync(api, smtp: "unhealthy", outbox: "healthy");

        await ExecuteAsync(database, "update worker_heartbeats set at = clock_timestamp() - interval '21 seconds'");
        await SeesAsync(api, smtp: "unknown", outbox: "degraded");
    }

    private static async Task SeesAsync(ApiHost api, string smtp, string outbox)
    {
        await Wait.UntilAsync($"SMTP {smtp}, outbox {outbox}", TimeSpan.FromSeconds(10), async () =>
        {
            using var answer = await api.SendAsync(HttpMethod.Get, "/api/health", signedIn: false);
            var report = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
            var checks = report["checks"]!;
            return answer.StatusCode == HttpStatusCode.OK
                && ((string?)report["status"], (string?)checks["database"]!["status"], (string?)checks["redis"]!["status"],
                    (string?)checks["smtp"]!["status"], (string?)checks["outbox"]!["status"])
                == ("degraded", "healthy", "unhealthy", smtp, outbox) ? report : null;
        });
    }

    private static async Task ExecuteAsync(NpgsqlDataSource database, string sql)
    {
#pragma warning disable CA2100 // Written in this file.
        await using var command = database.CreateCommand(sql);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }
}
