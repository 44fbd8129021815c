using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Ariya.Tests.ServiceDefaults;
using Npgsql;
using Xunit.Abstractions;

namespace Ariya.Tests.Programs;

/// <summary>An API that logs as much as it can, while nobody takes what it logs.</summary>
[Collection(ServerRoomTests.Name)]
public sealed partial class LogLoadTests(ServerRoom server, ITestOutputHelper output)
{
    // Each writes about 2 KB to the console, whose queue holds 4 MB.
    private const int Requests = 4000;
    private const int People = 8;

    [Fact]
    public async Task AConsoleThatNobodyReadsAndAFullVolumeSlowNobodyDownAndWhatIsMissingIsSaid()
    {
        await using var room = await server.OpenAsync();
        await using var volume = new FullVolume();
        await using var folder = new LogFolder();
        TimeSpan[] free, full;
        await using (var healthy = Start(room, folder.Logs, ApiProcess.Start))
        {
            free = await LoadAsync(healthy);
        }

        await using var api = Start(room, volume.Logs, ApiProcess.StartUnread);
        full = await LoadAsync(api);
        api.Read();
        volume.Free();
        var inFile = await Wait.UntilAsync("what is missing in the file", TimeSpan.FromSeconds(20), () =>
            Task.FromResult(volume.AllLines("combined").LastOrDefault(line => (string?)line["event"] == "Dropped")));
        var onConsole = await Wait.UntilAsync("what is missing on the console", TimeSpan.FromSeconds(20), () =>
            Task.FromResult(Missing().Match(api.Output) is { Success: true } found ? found.Groups["count"].Value : null));
        var asked = Stopwatch.GetTimestamp();
        api.Ask();
        await api.EndAsync(TimeSpan.FromSeconds(25));
        Assert.Equal(0, api.ExitCode);

        Assert.True((long)inFile["fields"]!["Count"]! > 0);
        // Nobody reads and no room: still nobody waits for either. Twice and a quarter of a second are for a busy machine; a sink that blocks takes forever.
        Assert.InRange(full[(int)(Requests * 0.99)], TimeSpan.Zero, (2 * free[(int)(Requests * 0.99)]) + TimeSpan.FromMilliseconds(250));
        output.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"""
             {Requests} requests that write, {People} at once, every category at Trace, all answered
             console read, room on the volume:         {Figures(free)}
             console not read, {volume.Kind} without room: {Figures(full)}
             dropped: {onConsole} lines of the console, {inFile["fields"]!["Count"]} of combined.log; ended {Stopwatch.GetElapsedTime(asked).TotalMilliseconds:0} ms after it was asked to
             """));
    }

    [Fact]
    public async Task AStatementThatTakesLongIsLoggedWithoutItsValues()
    {
        await using var room = await server.OpenAsync();
        await using var folder = new LogFolder();
        await using var api = ApiProcess.Start(room.Connection, server.Redis.ConnectionString, ("Logs__Directory", folder.Logs), ("Logs__SlowQueryMs", "300"),
            ("Shutdown__DrainDelay", "00:00:00"));
        await api.ReadyAsync();
        await using var blocker = new NpgsqlConnection(room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table outbox_messages in access exclusive mode", blocker, transaction))
        {
            await command.ExecuteNonQueryAsync();
        }

        var waiting = api.Client.ForgotAsync("slow.person@example.com");
        await Wait.UntilAsync("a statement that waits for long", TimeSpan.FromSeconds(10), async () => await room.ScalarAsync<long>(
            """
            select count(*) from pg_stat_activity
            where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into outbox_messages%'
              and query_start < clock_timestamp() - interval '400 ms'
            """) == 1 ? "" : null);
        await transaction.RollbackAsync();
        using var answer = await waiting;
        api.Ask();
        await api.EndAsync(TimeSpan.FromSeconds(25));

        var lines = folder.Lines("combined.log").Where(line => (string?)line["category"] == "Ariya.Performance").ToList();
        var statement = lines.Single(line => (string?)line["event"] == "SlowStatement" && ((string?)line["message"])!.Contains("insert into outbox_messages", StringComparison.Ordinal));
        Assert.InRange((double)statement["fields"]!["Ms"]!, 400, 10_000);
        Assert.Contains("$3", (string?)statement["fields"]!["Statement"], StringComparison.Ordinal);
        var request = lines.Single(line => (string?)line["event"] == "SlowRequest" && (string?)line["fields"]!["Route"] == "/api/v1/auth/forgot-password");
        Assert.Equal((string?)request["traceId"], (string?)statement["traceId"]);
        Assert.DoesNotContain("slow.person", folder.Text("combined.log"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task WhatOperatorsLookForIsLoggedWithTheAccountAndNeverItsAddress()
    {
        await using var room = await server.OpenAsync();
        await using var folder = new LogFolder();
        // Nobody reads its console, to the end.
        await using var api = ApiProcess.StartUnread(room.Connection, server.Redis.ConnectionString, ("Logs__Directory", folder.Logs),
            ("Logging__Console__LogLevel__Default", "Trace"), ("Logging__Console__LogLevel__Microsoft", "Trace"),
            ("Logging__Console__LogLevel__Microsoft.AspNetCore", "Trace"), ("RateLimits__AuthPermits", "0"), ("RateLimits__AddressPermits", "1"), ("Shutdown__DrainDelay", "00:00:00"));
        await api.ReadyAsync();
        var email = await room.AddAccountAsync();
        var account = (await room.ScalarAsync<Guid>("select id from accounts")).ToString();
        async Task<Tokens> SignInAsync() => await Person.TokensAsync(await api.Client.LoginAsync(email));
        async Task<HttpResponseMessage> RefreshAsync(string token) => await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = token });

        var first = await SignInAsync();
        var second = await Person.TokensAsync(await RefreshAsync(first.Refresh));
        await RefreshAsync(second.Refresh);
        await RefreshAsync(first.Refresh);
        var third = await SignInAsync();
        await RefreshAsync((await Person.TokensAsync(await RefreshAsync(third.Refresh))).Refresh);
        var fourth = await SignInAsync();
        var newer = await Person.TokensAsync(await RefreshAsync(fourth.Refresh));
        await room.SqlAsync("update sessions set generation = 0 where revoked_at is null");
        await RefreshAsync(newer.Refresh);
        var fifth = await SignInAsync();
        await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/logout", new { refreshToken = fifth.Refresh });
        // A token whose session is over is one of ours.
        await api.Client.CallAsync(HttpMethod.Get, "/api/v1/account", token: fifth.Access);
        await api.Client.CallAsync(HttpMethod.Get, "/api/v1/account", token: fifth.Access[..^4] + "AAAA");
        var sixth = await SignInAsync();
        await api.Client.CallAsync(HttpMethod.Post, "/api/v1/account/password",
            new { currentPassword = ServerRoom.Password, newPassword = "another sentence nobody types" }, token: sixth.Access);
        await api.Client.ForgotAsync("nobody@example.com");
        await api.Client.ForgotAsync("nobody@example.com");
        await api.Client.LoginAsync("nobody@example.com");
        for (var i = 0; i < 10; i++)
        {
            await api.Client.LoginAsync(email);
        }

        api.Ask();
        await api.EndAsync(TimeSpan.FromSeconds(15));
        Assert.Equal(0, api.ExitCode);
        var lines = folder.Lines("combined.log");
        List<JsonObject> Of(string category, string name) =>
            [.. lines.Where(line => (string?)line["category"] == category && (string?)line["event"] == name)];
        Assert.All(Of("Ariya.Auth", "SignedIn"), line => Assert.Equal(account, (string?)line["fields"]!["AccountId"]));
        Assert.Equal(5, Of("Ariya.Auth", "SignedIn").Count);
        Assert.Equal([null, .. Enumerable.Repeat(account, 10)], Of("Ariya.Auth", "SignInRefused").Select(line => (string?)line["fields"]!["AccountId"]));
        Assert.Equal(account, (string?)Of("Ariya.Auth", "SignedOut").Single()["fields"]!["AccountId"]);
        Assert.Equal(account, (string?)Of("Ariya.Auth", "PasswordChanged").Single()["fields"]!["AccountId"]);
        Assert.Equal(account, (string?)Of("Ariya.Security", "OldRefreshTokenUsed").Single()["fields"]!["AccountId"]);
        Assert.Equal("critical", (string?)Of("Ariya.Security", "RolledBack").Single()["level"]);
        Assert.Equal("Signature", (string?)Of("Ariya.Security", "ForgedBearer").Single()["fields"]!["Why"]);
        Assert.Equal(10, (int?)Of("Ariya.Security", "SignInDelayBegan").Single()["fields"]!["Failures"]);
        Assert.Equal("POST /api/v1/auth/forgot-password", (string?)Of("Ariya.Security", "LimitRefused").Single()["fields"]!["Route"]);
        Assert.Equal("rate_limited", (string?)folder.Lines("http.log").Single(line => (int?)line["status"] == 429)["code"]);
        Assert.DoesNotContain("@example.com", folder.Text("combined.log"), StringComparison.Ordinal);
        Assert.DoesNotContain("127.0.0.1", folder.Text("http.log"), StringComparison.Ordinal);
    }

    private ApiProcess Start(Room room, string logs, Func<string, string, (string, string)[], ApiProcess> start) => start(room.Connection, server.Redis.ConnectionString,
    [
        ("RateLimits__MailPermits", "0"), ("Logs__Directory", logs), ("Logs__MaxFileBytes", "65536"), ("Logs__MaxFiles", "2"), ("Shutdown__DrainDelay", "00:00:00"),
        ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__Microsoft.AspNetCore", "Trace"),
        ("Logging__LogLevel__Npgsql", "Trace"), ("Logging__Console__FormatterName", "json"),
    ]);

    /// <summary>How long each answer took, the shortest first.</summary>
    private static async Task<TimeSpan[]> LoadAsync(ApiProcess api)
    {
        await api.ReadyAsync();
        var left = Requests;
        var answers = await Task.WhenAll(Enumerable.Range(0, People).Select(async _ =>
        {
            var took = new List<TimeSpan>();
            while (Interlocked.Decrement(ref left) >= 0)
            {
                var started = Stopwatch.GetTimestamp();
                using var answer = await api.Client.ForgotAsync($"{Guid.CreateVersion7():N}@example.com");
                Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
                took.Add(Stopwatch.GetElapsedTime(started));
            }

            return took;
        })).WaitAsync(TimeSpan.FromSeconds(60));
        TimeSpan[] all = [.. answers.SelectMany(each => each).Order()];
        Assert.Equal(Requests, all.Length);
        return all;
    }

    private static string Figures(TimeSpan[] took) => string.Create(CultureInfo.InvariantCulture,
        $"median {took[Requests / 2].TotalMilliseconds:0.0} ms, 99% {took[(int)(Requests * 0.99)].TotalMilliseconds:0.0} ms, longest {took[^1].TotalMilliseconds:0.0} ms");

    [GeneratedRegex(@"(?<count>\d+) lines were dropped")]
    private static partial Regex Missing();
}
