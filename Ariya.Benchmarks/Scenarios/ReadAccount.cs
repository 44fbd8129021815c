using System.Text;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>The caller's account with a warm token: without limits against an endpoint that does nothing, with them against ASP.NET Core's accounts.</summary>
internal static class ReadAccount
{
    private const int Connections = 16;
    private const int People = 200;

    // Those of ten minutes would end in the middle of a long run.
    private static (string Name, string Value) LongTokens => ("Sessions__AccessTokenLifetime", "01:00:00");

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("read_account");
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis, LongTokens);
        var sessions = new Sessions(bench.Effort.Accounts);
        // Numbers of as many digits, so that all answers are as long.
        var people = Enumerable.Range(1000, People).ToArray();
        var tokens = await sessions.AccessTokensAsync(api.Port, people);
        using var loop = await ClosedLoop.OpenAsync(api.Port, Connections);
        var (read, body) = await ReadingAsync(api, loop, tokens, "GET account, no limits");

        await using var bare = await bench.Programs.StartPeerAsync(bench.Programs.Bare, "/account", ("BODY", body));
        using var bareLoop = await ClosedLoop.OpenAsync(bare.Port, Connections);
        var request = HttpConnection.Request("GET", "/account", bearer: tokens[0]);
        var limit = new Side("bare endpoint", async length => (await bareLoop.RunAsync(length, _ => request, (_, reply) =>
        {
            if (reply.Status != 200 || reply.Body.Length != Encoding.UTF8.GetByteCount(body))
            {
                throw new WrongWorkException($"{reply.Status}: {reply.Text}");
            }
        })).Rate);
        bench.Report.Add(await bench.Control("bare endpoint", limit).RunAsync());
        bench.Report.Add(await bench.Compare("GET account", read, limit, 0.80).RunAsync());

        // A second's window, or the counter would hold the times of all requests of the run: an hour's limit admits a hundred.
        await using var limited = await bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis,
            LongTokens, ("RateLimits__ApiPermits", "100000"), ("RateLimits__ApiWindow", "00:00:01"));
        using var limitedLoop = await ClosedLoop.OpenAsync(limited.Port, Connections);
        var (limitedRead, _) = await ReadingAsync(limited, limitedLoop, tokens, "GET account, limits on");
        await using var peer = await IdentityPeer.StartAsync(bench);
        using var peerLoop = await ClosedLoop.OpenAsync(peer.Port, Connections);
        var theirs = (await peer.AccessTokensAsync()).Select(token => HttpConnection.Request("GET", "/manage/info", bearer: token)).ToArray();
        var next = 0;
        var peerRead = new Side("MapIdentityApi, /manage/info", async length =>
            (await peerLoop.RunAsync(length, _ => theirs[Interlocked.Increment(ref next) % theirs.Length], (_, reply) => ClosedLoop.Expect(200, reply))).Rate);
        bench.Report.Add(await bench.Compare("GET account beside MapIdentityApi", limitedRead, peerRead, 2.0).RunAsync());
    }

    private static async Task<(Side Side, string Body)> ReadingAsync(RunningProgram api, ClosedLoop loop, string[] tokens, string name)
    {
        var requests = tokens.Select(token => HttpConnection.Request("GET", "/api/v1/account", bearer: token)).ToArray();
        using var connection = await HttpConnection.OpenAsync(api.Port);
        var bodies = new List<byte[]>();
        foreach (var request in requests)
        {
            var reply = await connection.SendAsync(request);
            ClosedLoop.Expect(200, reply);
            bodies.Add(reply.Body);
        }

        var next = 0;
        return (new Side(name, async length =>
        {
            var asked = new int[Connections];
            return (await loop.RunAsync(length, index => requests[asked[index] = Interlocked.Increment(ref next) % requests.Length], (index, reply) =>
            {
                ClosedLoop.Expect(200, reply);
                if (!reply.Body.AsSpan().SequenceEqual(bodies[asked[index]]))
                {
                    throw new WrongWorkException($"Somebody else's account: {reply.Text}");
                }
            })).Rate;
        }), Encoding.UTF8.GetString(bodies[0]));
    }
}
