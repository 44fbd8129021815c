using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>What a registration costs beside its hash: against pgbench with the same rows, statement by statement and all sent together.</summary>
internal static class Registration
{
    private const int Connections = 16;

    private static long s_people;

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("registration");
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.ApiWithCheapHashes, database, bench.Servers.Redis);
        using var loop = await ClosedLoop.OpenAsync(api.Port, Connections);
        var register = new Side("registration, cheapest hash", Bench.Checked(database, "select count(*) from registrations where user_agent <> 'pgbench'", length => PostAsync(loop, length)));
        // One after the other: standing still, one holds what its transactions hold.
        await using (var pgbench = await LimitAsync(bench, database, isPipelined: false))
        {
            var plain = pgbench.Side("pgbench");
            bench.Report.Add(await bench.Control("pgbench", plain, "transactions", bench.Servers.CheckpointAsync).RunAsync());
            bench.Report.Add(await bench.Compare("Registration without its hash", register, plain, 1.0, "registrations", bench.Servers.CheckpointAsync).RunAsync());
        }

        await using var pipelined = await LimitAsync(bench, database, isPipelined: true);
        bench.Report.Add(await bench.Compare("Registration without its hash, pipelined limit", register, pipelined.Side("pgbench, pipelined"), 0.55, "registrations", bench.Servers.CheckpointAsync).RunAsync());
    }

    /// <summary>Registers people who never were here.</summary>
    public static Task<(double Rate, long Done)> PostAsync(ClosedLoop loop, TimeSpan length) =>
        loop.RunAsync(length, _ => Next(), (_, reply) => ClosedLoop.Expect(202, reply));

    /// <summary>The registration of somebody who never was here.</summary>
    public static byte[] Next() => Request(Interlocked.Increment(ref s_people));

    private static byte[] Request(long person) => HttpConnection.Request("POST", "/api/v1/auth/register", string.Create(CultureInfo.InvariantCulture,
        $$"""{"email":"new-{{person}}@example.com","password":"{{Bench.Password}}","firstName":"Grace","lastName":"Hopper"}"""));

    private static Task<PausedProgram> LimitAsync(Bench bench, Database database, bool isPipelined) =>
        Pgbench.StartAsync(bench, database, "register", isPipelined, Connections, "select count(*) from registrations where user_agent = 'pgbench'");
}
