using System.Diagnostics;
using System.Globalization;
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
    private const int Requests = 1500;
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
             {Requests} requests of {People} at once, every category at Trace, all answered
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
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query_start < clock_timestamp() - interval '400 ms'") == 1
            ? "" : null);
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

    private ApiProcess Start(Room room, string logs, Func<string, string, (string, string)[], ApiProcess> start) => start(room.Connection, server.Redis.ConnectionString,
    [
        ("Logs__Directory", logs), ("Logs__MaxFileBytes", "65536"), ("Logs__MaxFiles", "2"), ("Shutdown__DrainDelay", "00:00:00"),
        ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__Microsoft.AspNetCore", "Trace"),
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
                using var answer = await api.Client.CallAsync(HttpMethod.Get, "/api/v1/account", token: "not.a.token");
                Assert.Equal(System.Net.HttpStatusCode.Unauthorized, answer.StatusCode);
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
