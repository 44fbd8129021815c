using System.Net;
using System.Text;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Ariya.Tests.ServiceDefaults;
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
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%insert into outbox_messages%'") == InFlight ? "" : null);
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
    public async Task ItIsNotReadyBeforeItKnowsThatItCanCheckPasswords()
    {
        await using var room = await server.OpenAsync();
        await using var blocker = new NpgsqlConnection(room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table deployment_settings in access exclusive mode", blocker, transaction))
        {
            await command.ExecuteNonQueryAsync();
        }

        var patient = new NpgsqlConnectionStringBuilder(room.Connection) { Options = "-c lock_timeout=60000 -c statement_timeout=60000", CommandTimeout = 60 };
        await using var api = ApiProcess.Start(patient.ConnectionString, server.Redis.ConnectionString);
        await Wait.UntilAsync("an instance that listens and waits for its database", TimeSpan.FromSeconds(30), async () =>
        {
            try
            {
                using var alive = await api.Client.GetAsync(new Uri("/alive", UriKind.Relative));
                return alive.IsSuccessStatusCode && await room.ScalarAsync<long>(
                    "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock' and query like '%deployment_settings%'") > 0 ? "" : null;
            }
            catch (HttpRequestException)
            {
                return null;
            }
        });
        // More than once: the first could be slow for other reasons.
        for (var n = 0; n < 5; n++)
        {
            using var early = await api.Client.GetAsync(new Uri("/health", UriKind.Relative));
            Assert.Equal(HttpStatusCode.ServiceUnavailable, early.StatusCode);
        }

        await transaction.RollbackAsync();
        await api.ReadyAsync();
    }

    [Fact]
    [Trait("Promise", "P62")]
    public async Task NoSecretIsInWhatItLogsAtTheLoudestLevel()
    {
        await using var room = await server.OpenAsync();
        await using var folder = new LogFolder();
        await using var collector = await OtlpCollector.StartAsync();
        await using var api = ApiProcess.Start(new NpgsqlConnectionStringBuilder(room.Connection) { IncludeErrorDetail = true }.ConnectionString, server.Redis.ConnectionString,
            ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__Microsoft.AspNetCore.Hosting.Diagnostics", "Trace"),
            ("Logging__LogLevel__Microsoft.AspNetCore.Routing.Matching", "Trace"), ("Logging__LogLevel__Ariya.Api.Sessions.BearerAuthentication", "Trace"),
            ("Logging__LogLevel__Npgsql", "Trace"),
            ("Logging__Console__LogLevel__Default", "Trace"), ("Logging__Console__FormatterOptions__IncludeScopes", "true"),
            ("Logging__Files__LogLevel__Default", "Trace"), ("Logging__OpenTelemetry__LogLevel__Default", "Trace"),
            ("OTEL_EXPORTER_OTLP_ENDPOINT", collector.Endpoint), ("OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "10000"),
            ("OTEL_BSP_SCHEDULE_DELAY", "100"), ("OTEL_BLRP_SCHEDULE_DELAY", "100"), ("OTEL_BLRP_MAX_QUEUE_SIZE", "100000"),
            ("Logs__Directory", folder.Logs), ("Logs__MaxFileBytes", "100000000"), ("Logs__SlowQueryMs", "1"), ("Proxies__Networks", "10.0.0.0/8"),
            ("Shutdown__DrainDelay", "00:00:00"));
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
            (HttpMethod.Get, $"/verify-email/{token}", null),
            (HttpMethod.Get, $"/docs/{token}", null),
            (HttpMethod.Get, $"/api/v1/account/sessions/{token}", null),
            (HttpMethod.Delete, $"/api/v1/account/sessions/{token}", null),
            (new HttpMethod(Planted), "/api/v1/account", null),
            (HttpMethod.Put, "/api/v1/account/avatar", new StringContent(Planted)),
            (HttpMethod.Patch, "/api/v1/account", new { firstName = $"{Planted}\u0001" }),
            (HttpMethod.Patch, "/api/v1/account", new { lastName = Planted }),
            (HttpMethod.Post, "/api/v1/auth/login", new StringContent($"{{\"email\":\"{Planted}", Encoding.UTF8, "application/json")),
        })
        {
            using var answer = await api.Client.CallAsync(method, path, body, token: tokens.Access, key: method == HttpMethod.Post ? $"{Planted}-{path.Length}" : null);
            Assert.True((int)answer.StatusCode < 500, $"{path}: {answer.StatusCode}");
        }

        foreach (var (name, value) in new[]
        {
            ("Authorization", $"Bearer {token}"), ("Authorization", $"Bearer {tokens.Access[..^8]}{Planted}"), ("Authorization", $"Basic {Planted}"), ("Cookie", $"session={token}"),
            ("Referer", $"https://accounts.example.com/verify-email?token={token}"), ("User-Agent", Planted), ("Origin", $"https://{Planted}"),
            ("X-Forwarded-For", $"{Planted}, 203.0.113.77"), ("Idempotency-Key", Planted), ("If-Match", $"\"{Planted}\""), ("Traceparent", Planted), ("Accept", Planted),
        })
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/account");
            Assert.True(request.Headers.TryAddWithoutValidation(name, value));
            using var answer = await api.Client.SendAsync(request);
            Assert.True((int)answer.StatusCode < 500, $"{name}: {answer.StatusCode}");
        }

        // A failure that is logged with its exception, under each kind of request; its detail is the row.
        await room.SqlAsync("alter table outbox_messages add constraint never check (false) not valid");
        using var failed = await api.Client.ForgotAsync($"{Planted}@example.org");
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        api.Ask();
        await api.EndAsync(TimeSpan.FromSeconds(25));

        await collector.ReceivesAsync("logs", "Ariya.Api.Problems.UnhandledExceptions", "Ariya.Security", "Ariya.Auth");
        await collector.ReceivesAsync("traces", "POST /api/v1/auth/forgot-password", "insert into outbox_messages");
        await collector.ReceivesAsync("metrics", "ariya.");
        string[] secrets =
        [
            Planted, tokens.Access, tokens.Refresh, tokens.Refresh.Split('.')[^1], ServerRoom.Password, ApiHost.JwtSecret, ApiHost.JwtRefreshSecret, email, "203.0.113.77",
        ];
        foreach (var (sink, log, least, known) in new[]
        {
            ("console", api.Output, 20_000, "Ariya.Api.Problems.UnhandledExceptions"), ("combined.log", folder.Text("combined.log"), 20_000, "Ariya.Performance"),
            ("error.log", folder.Text("error.log"), 500, "Ariya.Api.Problems.UnhandledExceptions"), ("http.log", folder.Text("http.log"), 2_000, "/reset-password"),
            ("logs", collector.Received("logs"), 20_000, "Ariya.Performance"), ("traces", collector.Received("traces"), 10_000, "/reset-password"),
            ("metrics", collector.Received("metrics"), 1_000, "http.server.request.duration"),
        })
        {
            Assert.True(log.Length > least && log.Contains(known, StringComparison.Ordinal), $"{sink}: {log.Length}");
            Assert.All(secrets, secret => Assert.True(!log.Contains(secret, StringComparison.OrdinalIgnoreCase),
                $"{secret} is in {sink}: {log.Split('\n').FirstOrDefault(line => line.Contains(secret, StringComparison.OrdinalIgnoreCase))}"));
        }

        // What an operator looks for is there.
        var lines = folder.Lines("combined.log");
        foreach (var (category, name) in new[]
        {
            ("Ariya.Auth", "SignedIn"), ("Ariya.Auth", "SignInRefused"), ("Ariya.Auth", "RegistrationRequested"), ("Ariya.Security", "ForgedBearer"), ("Ariya.Performance", "SlowStatement"),
        })
        {
            Assert.Contains(lines, line => (string?)line["category"] == category && (string?)line["event"] == name);
        }

        Assert.Equal("internal", (string?)folder.Lines("http.log").Last(line => (int?)line["status"] == 500)["code"]);
    }
}
