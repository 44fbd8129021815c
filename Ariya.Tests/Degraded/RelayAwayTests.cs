using System.Diagnostics;
using System.Net;
using Ariya.Data.Outbox;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Degraded;

/// <summary>An API and a worker with a relay that a test takes away: what was asked for over HTTP, and what was handed over.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class RelayAwayTests(ServerRoom server) : IAsyncLifetime
{
    // docs/promises.md says "in normal time"; without a hash that is a few milliseconds, and a busy machine takes the rest.
    private static readonly TimeSpan s_normal = TimeSpan.FromMilliseconds(250);

    private Room _room = null!;

    private ScriptedRelay Relay { get; set; } = new();

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync()
    {
        await Relay.DisposeAsync();
        await _room.DisposeAsync();
    }

    [Fact]
    [Trait("Promise", "P45")]
    public async Task WithTheRelayAwayTheApiAnswersInNormalTimeAndTheMailsGoWhenItIsBack()
    {
        const int Mails = 40;
        var api = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:MailPermits", "0")).CreateClient();
        var people = new List<string>();
        for (var n = 0; n < Mails; n++)
        {
            people.Add(await _room.AddAccountAsync());
        }

        await _room.SqlAsync("update accounts set password_changed_at = now() - interval '1 hour'");
        await Relay.DisposeAsync();
        await using var worker = StartWorker();
        await worker.StartAsync();
        await worker.Log.ContainingAsync("Mail relay: no connection");
        var times = new List<TimeSpan>();
        foreach (var email in people)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await api.ForgotAsync(email);
            times.Add(Stopwatch.GetElapsedTime(started));
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        }

        times.Sort();
        Assert.InRange(times[Mails / 2], TimeSpan.Zero, s_normal);
        Assert.InRange(times[^1], TimeSpan.Zero, TimeSpan.FromSeconds(2));
        Assert.Equal(Mails, await _room.ScalarAsync<long>("select count(*) from outbox_messages where state = 'pending'"));

        Relay = new ScriptedRelay(port: Relay.Port);
        await Wait.UntilAsync("the mails", TimeSpan.FromSeconds(30), () => Task.FromResult(Relay.Accepted.Count == Mails ? "" : null));
        Assert.Equal(people.Order(), Relay.Accepted.Select(mail => mail.Recipient).Order());
    }

    [Fact]
    [Trait("Promise", "P11")]
    public async Task OfEightRequestsForTheMailAgainFiveAreMailed()
    {
        var api = _room.StartApi(server.Redis.ConnectionString).CreateClient();
        var (waiting, unknown) = ("waiting@example.com", "unknown@example.com");
        using var registered = await api.CallAsync(HttpMethod.Post, "/api/v1/auth/register",
            new { email = waiting, password = ServerRoom.Password, firstName = "Grace", lastName = "Hopper" }, "192.0.2.1");
        Assert.Equal(HttpStatusCode.Accepted, registered.StatusCode);
        foreach (var email in new[] { waiting, unknown })
        {
            // However it is spelled and wherever it comes from.
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(n => api.CallAsync(HttpMethod.Post, "/api/v1/auth/resend-verification",
                new { email = n % 2 == 0 ? email : email.ToUpperInvariant() }, $"192.0.{n}.1")));
            Assert.Equal((5, 3), (answers.Count(answer => answer.StatusCode == HttpStatusCode.Accepted), answers.Count(answer => answer.StatusCode == HttpStatusCode.TooManyRequests)));
        }

        await using var worker = StartWorker();
        while (await worker.RunOnceAsync() > 0)
        {
        }

        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from outbox_messages where state not in ('sent', 'dropped')"));
        Assert.All(Relay.Accepted, mail => Assert.Equal(waiting, mail.Recipient));
        // That of the registration and five more, each with a link of its own.
        Assert.Equal(6, Relay.Accepted.Select(mail => ReceivedMail.Parse(mail.Content).Token).Distinct().Count());
        Assert.Equal(6, Relay.Accepted.Count);
        Assert.Equal(5, await _room.ScalarAsync<long>(
            "select count(*) from outbox_messages where kind = $1 and recipient = $2 and state = 'dropped'", MailKinds.VerificationAgain, unknown));
    }

    private InProcessWorker StartWorker() => new(new WorkerSettings { Connection = _room.Connection, RelayPort = Relay.Port, Clock = new HastyClock(10) });
}
