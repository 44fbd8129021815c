using System.Net;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Npgsql;

namespace Ariya.Tests.Programs;

[Collection(ServerRoomTests.Name)]
public sealed class ApiProcessTests(ServerRoom server)
{
    [Fact]
    [Trait("Promise", "P59")]
    public async Task AskedToEndItIsNotReadyFirstServesOnAndAnswersWhatIsInFlight()
    {
        const int InFlight = 100;
        // Each of them is in the database when the signal comes, which has room for them and for whoever asks whether it is ready.
        await server.Postgres.AdministerAsync("alter system set max_connections = 250");
        await server.Postgres.StopAsync();
        await server.Postgres.StartAsync();
        await using var room = await server.OpenAsync();
        // On a busy machine the lock below is held for longer than a request usually waits.
        var patient = new NpgsqlConnectionStringBuilder(room.Connection) { Options = "-c lock_timeout=60000 -c statement_timeout=60000", CommandTimeout = 60, MaxPoolSize = 130 };
        await using var api = ApiProcess.Start(patient.ConnectionString, server.Redis.ConnectionString, ("Shutdown__DrainDelay", "00:00:05"),
            ("Requests__Timeout", "00:01:00"), ("RateLimits__MailPermits", "0"), ("RateLimits__ApiPermits", "0"));
        await api.ReadyAsync();
        Assert.Equal(HttpStatusCode.Accepted, (await api.Client.ForgotAsync("ada@example.com")).StatusCode);

        // All of them wait for a lock that the test holds.
        await using var blocker = new NpgsqlConnection(room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table outbox_messages in access exclusive mode", blocker, transaction))
        {
            await command.ExecuteNonQueryAsync();
        }

        var waiting = Enumerable.Range(0, InFlight).Select(n => api.Client.ForgotAsync($"{n}@example.com")).ToList();
        await Wait.UntilAsync("requests that wait", TimeSpan.FromSeconds(10), async () => await room.ScalarAsync<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == InFlight ? "" : null);
        using (var before = await api.Client.GetAsync(new Uri("/health", UriKind.Relative)))
        {
            Assert.Equal(HttpStatusCode.OK, before.StatusCode);
        }

        api.Ask();
        await Wait.UntilAsync("an instance that is not ready", TimeSpan.FromSeconds(4), async () =>
        {
            using var ready = await api.Client.GetAsync(new Uri("/health", UriKind.Relative));
            return ready.StatusCode == HttpStatusCode.ServiceUnavailable ? "" : null;
        });
        using var alive = await api.Client.GetAsync(new Uri("/alive", UriKind.Relative));
        using var refused = await api.Client.CallAsync(HttpMethod.Get, "/api/v1/account");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.Unauthorized), (alive.StatusCode, refused.StatusCode));
        await transaction.RollbackAsync();

        var answers = await Task.WhenAll(waiting);
        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode));
        await api.EndAsync(TimeSpan.FromSeconds(25));
        Assert.Equal(0, api.ExitCode);
        Assert.Equal(InFlight + 1, await room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    [Trait("Promise", "P62")]
    public async Task NoSecretIsInWhatItLogsAtTheLoudestLevel()
    {
        await using var room = await server.OpenAsync();
        await using var api = ApiProcess.Start(room.Connection, server.Redis.ConnectionString,
            ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics", "Trace"),
            ("Logging__Console__LogLevel__Default", "Trace"), ("Shutdown__DrainDelay", "00:00:00"));
        await api.ReadyAsync();
        var email = await room.AddAccountAsync();
        var tokens = await Person.TokensAsync(await api.Client.LoginAsync(email));
        const string Planted = "planted-secret-4711";
        var token = $"{Planted}-{new string('A', 43)}";
        foreach (var (method, path, body) in new (HttpMethod, string, object?)[]
        {
            (HttpMethod.Post, "/api/v1/auth/register", new { email = $"{Planted}@example.com", password = $"{Planted} and some more", firstName = "Ada", lastName = "L" }),
            (HttpMethod.Post, "/api/v1/auth/verify-email", new { token }),
            (HttpMethod.Post, "/api/v1/auth/verify-email", new { email = $"{Planted}@example.com", code = "471100" }),
            (HttpMethod.Post, "/api/v1/auth/resend-verification", new { email = $"{Planted}@example.com" }),
            (HttpMethod.Post, "/api/v1/auth/login", new { email, password = $"{Planted} is not the one" }),
            (HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = token }),
            (HttpMethod.Post, "/api/v1/auth/logout", new { refreshToken = token }),
            (HttpMethod.Post, "/api/v1/auth/forgot-password", new { email = $"{Planted}@example.com" }),
            (HttpMethod.Post, "/api/v1/auth/reset-password", new { token, password = $"{Planted} and some more" }),
            (HttpMethod.Post, "/api/v1/account/password", new { currentPassword = $"{Planted} current", newPassword = $"{Planted} and some more" }),
            (HttpMethod.Get, "/api/v1/account", null),
            (HttpMethod.Get, $"/verify-email?token={token}", null),
            (HttpMethod.Get, $"/reset-password?token={token}", null),
            (HttpMethod.Post, "/verify-email", new FormUrlEncodedContent([new("token", token), new("password", $"{Planted} and some more")])),
            (HttpMethod.Post, "/reset-password", new FormUrlEncodedContent([new("token", token), new("password", $"{Planted} and some more")])),
            (HttpMethod.Get, $"/nothing?token={token}", null),
        })
        {
            using var answer = await api.Client.CallAsync(method, path, body, token: tokens.Access, key: method == HttpMethod.Post ? $"{Planted}-{path.Length}" : null);
            Assert.True((int)answer.StatusCode < 500, $"{path}: {answer.StatusCode}");
        }

        // A failure that is logged with its exception, under each kind of request.
        await room.SqlAsync("alter table outbox_messages add constraint never check (false) not valid");
        using var failed = await api.Client.ForgotAsync($"{Planted}@example.org");
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        api.Ask();
        await api.EndAsync(TimeSpan.FromSeconds(25));

        var log = api.Output;
        Assert.Contains("Ariya.Api.Problems.UnhandledExceptions", log, StringComparison.Ordinal);
        Assert.True(log.Length > 20_000, log);
        string[] secrets = [Planted, tokens.Access, tokens.Refresh, tokens.Refresh.Split('.')[^1], ServerRoom.Password, ApiHost.JwtSecret, ApiHost.JwtRefreshSecret, email];
        Assert.All(secrets, secret => Assert.True(!log.Contains(secret, StringComparison.OrdinalIgnoreCase),
            $"{secret} is in: {log.Split('\n').FirstOrDefault(line => line.Contains(secret, StringComparison.OrdinalIgnoreCase))}"));
    }
}
