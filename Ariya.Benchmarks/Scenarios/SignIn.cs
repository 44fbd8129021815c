using System.Diagnostics;
using System.Globalization;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Benchmarks.Measuring;
using Ariya.Data.Passwords;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>Sign-in and registration against nothing but their hashes, and sign-in against ASP.NET Core's accounts at the same hash.</summary>
internal static class SignIn
{
    private const int Connections = 8;
    private const int People = 1000;

    public static async Task RunAsync(Bench bench)
    {
        await using var database = await bench.AccountsAsync("sign_in");
        await using var api = await bench.Programs.StartApiAsync(bench.Programs.Api, database, bench.Servers.Redis);
        using var loop = await ClosedLoop.OpenAsync(api.Port, Connections);
        var signIns = Enumerable.Range(1, People).Select(n => Request(string.Create(CultureInfo.InvariantCulture, $"{n}@example.com"))).ToArray();
        var next = 0;
        var signIn = new Side("sign-in", Bench.Checked(database, "select count(*) from sessions", length =>
            loop.RunAsync(length, _ => signIns[Interlocked.Increment(ref next) % People], (_, reply) => ClosedLoop.Expect(200, reply))));
        var stored = PasswordHash.Create(PasswordHash.Argon2id, Bench.Password);
        var verifying = new Side($"{Environment.ProcessorCount} threads that check hashes", Hashing(() => PasswordHash.Verify(stored, Bench.Password)));
        var making = new Side($"{Environment.ProcessorCount} threads that make hashes", Hashing(() => PasswordHash.Create(PasswordHash.Argon2id, Bench.Password).Length > 0));
        bench.Report.Add(await bench.Control("hashes", verifying, "hashes", isLong: true).RunAsync());
        bench.Report.Add(await bench.Compare("Sign-in", signIn, verifying, 0.92, "sign-ins", isLong: true).RunAsync());
        var register = new Side("registration", Bench.Checked(database, "select count(*) from registrations", length => Registration.PostAsync(loop, length)));
        bench.Report.Add(await bench.Compare("Registration", register, making, 0.88, "registrations", isLong: true).RunAsync());
        await BesideIdentityAsync(bench, signIn);
    }

    private static async Task BesideIdentityAsync(Bench bench, Side signIn)
    {
        await using var peer = await IdentityPeer.StartAsync(bench);
        using var loop = await ClosedLoop.OpenAsync(peer.Port, Connections);
        var next = 0;
        var theirs = new Side("MapIdentityApi", async length =>
            (await loop.RunAsync(length, _ => peer.SignIns[Interlocked.Increment(ref next) % peer.SignIns.Length], (_, reply) => ClosedLoop.Expect(200, reply))).Rate);
        bench.Report.Add(await bench.Compare("Sign-in beside MapIdentityApi, equal hashes", signIn, theirs, 1.0, "sign-ins", isLong: true).RunAsync());
    }

    private static byte[] Request(string address) =>
        HttpConnection.Request("POST", "/api/v1/auth/login", $$"""{"email":"{{address}}","password":"{{Bench.Password}}"}""");

    private static Slice Hashing(Func<bool> hash) => async length =>
    {
        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(Enumerable.Range(0, Environment.ProcessorCount).Select(_ => Task.Factory.StartNew(() =>
        {
            var count = 0;
            for (; Stopwatch.GetElapsedTime(started) < length; count++)
            {
                if (!hash())
                {
                    throw new WrongWorkException("A hash was wrong.");
                }
            }

            return count;
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)));
        return counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
    };
}
