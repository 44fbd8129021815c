using System.Diagnostics;
using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>What the programs hold: doing nothing, under load, under a flood of sign-ins, and the worker with few and with many mails before it.</summary>
internal static class Memory
{
    private const int Connections = 16;
    private const int Flood = 64;
    private static readonly TimeSpan s_rest = TimeSpan.FromSeconds(5);

    public static async Task RunAsync(Bench bench, int fewMails, int manyMails)
    {
        await OfApiAsync(bench);
        await OfWorkerAsync(bench, fewMails, manyMails);
    }

    private static async Task OfApiAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("memory");
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis);
        await Task.Delay(s_rest);
        bench.Report.Add(new Reading("Memory of the API, idle", api.Megabytes, 110, "MB"));

        var sessions = new Sessions(bench.Effort.Accounts);
        var tokens = await sessions.AccessTokensAsync(api.Port, Enumerable.Range(1, 200));
        var reads = tokens.Select(token => HttpConnection.Request("GET", "/api/v1/account", bearer: token)).ToArray();
        using var loop = await ClosedLoop.OpenAsync(api.Port, Connections);
        var exchange = Refresh.Exchange(loop, database, sessions);
        var next = 0;
        for (var round = 0; round < 5; round++)
        {
            await exchange.RunAsync(bench.Effort.LongLength * 2);
            await loop.RunAsync(bench.Effort.LongLength * 2, _ => reads[Interlocked.Increment(ref next) % reads.Length], (_, reply) => ClosedLoop.Expect(200, reply));
        }

        bench.Report.Add(new Reading("Memory of the API, under load without hashes", api.Megabytes, 220, "MB"));

        // One after the other: their code is no part of what a flood costs, and the memory of hashes is given back before it, and after it.
        var signIns = Enumerable.Range(1, Flood).Select(person => HttpConnection.Request("POST", "/api/v1/auth/login",
            string.Create(CultureInfo.InvariantCulture, $$"""{"email":"{{person}}@example.com","password":"{{Bench.Password}}"}"""))).ToArray();
        using (var connection = await HttpConnection.OpenAsync(api.Port))
        {
            foreach (var request in signIns)
            {
                ClosedLoop.Expect(200, await connection.SendAsync(request));
            }
        }

        await Task.Delay(s_rest);
        var before = api.Megabytes;

        // Refused or not: what counts is what they cost together.
        using var flood = await ClosedLoop.OpenAsync(api.Port, Flood);
        await flood.RunAsync(bench.Effort.LongLength * 10, connection => signIns[connection], (_, reply) =>
        {
            if (reply.Status is not (200 or 503))
            {
                throw new WrongWorkException($"{reply.Status}: {reply.Text}");
            }
        });
        var most = api.Megabytes;
        await Task.Delay(s_rest);
        bench.Report.Add(new Reading($"Memory that {Flood} sign-ins at once add", most - before, 80, "MB"));
        bench.Report.Add(new Reading("Of it what hashes have, and give back", most - api.Megabytes, Math.Ceiling(Environment.ProcessorCount * 19 * 1.2), "MB"));
    }

    private static async Task OfWorkerAsync(Bench bench, int fewMails, int manyMails)
    {
        await using var database = await MailDrain.PreparedAsync(bench, "memory_worker");
        await using (var sink = new MailSink())
        await using (var worker = await bench.Programs.StartWorkerAsync(database, sink.Port))
        {
            await Task.Delay(s_rest);
            bench.Report.Add(new Reading("Memory of the worker, idle", worker.Megabytes, 90, "MB"));
        }

        var few = await DrainingAsync(bench, database, fewMails);
        var many = await DrainingAsync(bench, database, manyMails);
        bench.Report.Add(new Reading($"Memory of the worker, {fewMails:N0} mails before it", few, 150, "MB"));
        bench.Report.Add(new Reading($"Memory of the worker, {manyMails:N0} mails before it", many, Math.Min(150, few * 1.15), "MB"));
    }

    /// <returns>The most that it held while it worked off as many mails as the smaller queue has.</returns>
    private static async Task<double> DrainingAsync(Bench bench, Database database, int mails)
    {
        const int Worked = 10_000;
        await database.ExecuteAsync("truncate outbox_messages cascade");
        for (var left = mails; left > 0; left -= 100_000)
        {
            await MailDrain.CommitAsync(database, Math.Min(left, 100_000));
        }

        await database.SettleAsync();
        await using var sink = new MailSink();
        var done = sink.ExpectAsync(Math.Min(mails, Worked));
        await using var worker = await bench.Programs.StartWorkerAsync(database, sink.Port);
        var most = 0.0;
        for (var started = Stopwatch.GetTimestamp(); !done.IsCompleted && Stopwatch.GetElapsedTime(started) < TimeSpan.FromMinutes(2); await Task.Delay(50))
        {
            most = Math.Max(most, worker.Megabytes);
        }

        return done.IsCompleted ? most : throw new WrongWorkException($"{sink.Count} of {Worked} mails were sent in two minutes.");
    }
}
