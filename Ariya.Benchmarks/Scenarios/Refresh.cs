using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;
using Ariya.Chaos;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>The exchange of refresh tokens against pgbench that changes the same rows.</summary>
internal static class Refresh
{
    private const int Connections = 16;

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("refresh");
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis);
        using var loop = await ClosedLoop.OpenAsync(api.Port, Connections);
        // The limit changes the other half of the sessions.
        var exchange = Exchange(loop, database, new Sessions(bench.Effort.Accounts / 2));
        foreach (var (name, isPipelined, target) in new[] { ("Refresh", false, 1.0), ("Refresh, pipelined limit", true, 0.60) })
        {
            // One after the other: standing still, one holds the rows of its transactions.
            await using var limit = await Pgbench.StartAsync(
                bench, database, "refresh", isPipelined, Connections, "select coalesce(sum(generation), 0)::bigint from sessions where rotation_user_agent = 'pgbench'",
                ("first", (bench.Effort.Accounts / 2) + 1), ("last", bench.Effort.Accounts));
            bench.Report.Add(await bench.Compare(name, exchange, limit.Side(isPipelined ? "pgbench, pipelined" : "pgbench"), target, "exchanges", bench.Servers.CheckpointAsync).RunAsync());
        }
    }

    public static Side Exchange(ClosedLoop loop, Database database, Sessions sessions)
    {
        var draws = Enumerable.Range(0, Connections).Select(connection => Seeded.For(1, connection)).ToArray();
        var current = new int[Connections];
        return new Side("refresh", Bench.Checked(database, "select coalesce(sum(generation), 0)::bigint from sessions where rotation_user_agent is distinct from 'pgbench'", length =>
            loop.RunAsync(length, connection =>
            {
                // Every connection has people of its own: nobody uses a token twice.
                var n = 1 + connection + (Connections * draws[connection].Next(sessions.Count / Connections));
                current[connection] = n;
                return sessions.Exchange(n);
            }, (connection, reply) =>
            {
                ClosedLoop.Expect(200, reply);
                sessions.Exchanged(current[connection]);
            })));
    }
}
