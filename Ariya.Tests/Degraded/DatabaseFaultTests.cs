using System.Diagnostics;
using System.Net;
using System.Text;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;
using Npgsql;

namespace Ariya.Tests.Degraded;

/// <summary>PostgreSQL in every state it can be in, under load: right answers, or 503 and nothing half done; and within ten seconds as before.</summary>
[Collection(DatabaseFaultRoom.Name)]
public sealed class DatabaseFaultTests(ServerRoom server) : IAsyncLifetime
{
    private static readonly TimeSpan s_recovery = TimeSpan.FromSeconds(10);

    // The time of a request, and of its way through a busy machine; the driver alone would take 12 s to leave a silent server.
    private static readonly TimeSpan s_longest = TimeSpan.FromSeconds(11);

    private Room _room = null!;

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Fact]
    [Trait("Promise", "P52")]
    public Task StoppedAndStarted() => FaultAsync(_room.Connection, server.Postgres.StopAsync, server.Postgres.StartAsync);

    [Fact]
    [Trait("Promise", "P52")]
    public async Task RestartedUnderTheRequests()
    {
        await FaultAsync(_room.Connection, async () =>
        {
            await server.Postgres.StopAsync();
            await server.Postgres.StartAsync();
        }, () => Task.CompletedTask, isNoticed: false);
    }

    [Fact]
    public Task ReadOnly() => FaultAsync(
        _room.Connection,
        async () =>
        {
            await server.Postgres.AdministerAsync($"alter database {_room.Database} set default_transaction_read_only = on");
            await CutAsync();
        },
        async () =>
        {
            await server.Postgres.AdministerAsync($"alter database {_room.Database} reset default_transaction_read_only");
            await CutAsync();
        }, isNoticed: false);

    [Fact]
    public async Task OutOfConnections()
    {
        // A role of its own: the tests' owner is not limited.
        var role = $"few_{_room.Database}";
        await server.Postgres.AdministerAsync($"create role {role} login password 'few'");
        await _room.SqlAsync($"grant all on all tables in schema public to {role}");
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Username = role, Password = "few" }.ConnectionString;
        try
        {
            await FaultAsync(connection, async () =>
            {
                await server.Postgres.AdministerAsync($"alter role {role} connection limit 0");
                await CutAsync();
            }, () => server.Postgres.AdministerAsync($"alter role {role} connection limit -1"));
        }
        finally
        {
            await _room.SqlAsync($"drop owned by {role}");
        }
    }

    [Fact]
    [Trait("Promise", "P54")]
    public async Task EveryConnectionOfThePoolIsTaken()
    {
        await using var proxy = FaultProxy.To(server.Postgres.Port);
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Port = proxy.Port, MaxPoolSize = 3, Timeout = 1 }.ConnectionString;
        var answers = await FaultAsync(connection, () => { proxy.Latency = TimeSpan.FromMilliseconds(700); return Task.CompletedTask; },
            () => { proxy.Latency = TimeSpan.Zero; return Task.CompletedTask; }, isNoticed: false);
        // Who gets no connection is told after the second that the setting above gives, not after all the others.
        Assert.Contains(answers, answer => answer.Status == 503 && answer.Took < TimeSpan.FromSeconds(3));
    }

    [Fact]
    [Trait("Promise", "P54")]
    public async Task AFloodTakesTheWholePoolOfEveryInstanceAndLeavesTheServerConnections()
    {
        const int Pool = 40, Flood = 70;
        HttpClient[] instances = [StartApi(1), StartApi(2)];
        foreach (var instance in instances)
        {
            await Conditions.UntilDatabaseAsync(instance, "healthy");
        }

        await using var blocker = new NpgsqlConnection(_room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var command = new NpgsqlCommand("lock table outbox_messages in access exclusive mode", blocker, transaction))
        {
            await command.ExecuteNonQueryAsync();
        }

        var flood = Enumerable.Range(0, instances.Length * Flood).Select(n => TimedAsync(instances[n % instances.Length], n)).ToList();
        await Wait.UntilAsync("every connection of the pools, waiting", TimeSpan.FromSeconds(20), async () => await HeldAsync("and wait_event_type = 'Lock'") > instances.Length * (Pool - 2) ? "" : null);
        // The server takes 100 by default: the pools leave some to others, who are served meanwhile.
        Assert.InRange(await HeldAsync(""), 1, instances.Length * Pool);
        await server.Postgres.AdministerAsync("select 1");
        foreach (var instance in instances)
        {
            using var alive = await instance.GetAsync(new Uri("/alive", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
        }

        await Wait.UntilAsync("those without a connection", TimeSpan.FromSeconds(10), () => Task.FromResult(flood.Count(request => request.IsCompleted) >= instances.Length * (Flood - Pool) ? "" : null));
        await transaction.RollbackAsync();
        var answers = await Task.WhenAll(flood);
        var accepted = answers.Count(answer => answer.Status == 202);
        Assert.True(answers.All(answer => answer.Status == 202 || answer is { Status: 503, Code: "unavailable" }), Load.Describe(answers));
        Assert.InRange(accepted, 1, instances.Length * Pool);
        // Three seconds are waited for a connection; the others wait as long as the lock is held.
        Assert.True(answers.Where(answer => answer.Status == 503).All(answer => answer.Took < TimeSpan.FromSeconds(10)), Load.Describe(answers));
        Assert.Equal(accepted, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
        foreach (var instance in instances)
        {
            using var after = await instance.ForgotAsync("after@example.com");
            Assert.Equal(HttpStatusCode.Accepted, after.StatusCode);
        }

        // On a busy machine the lock is held for longer than a statement usually waits; and in one process the same settings would share a pool.
        HttpClient StartApi(int number) => _room.StartApi(
            server.Redis.ConnectionString,
            new NpgsqlConnectionStringBuilder(_room.Connection) { Options = "-c lock_timeout=60000 -c statement_timeout=60000", CommandTimeout = 60, ConnectionIdleLifetime = 300 + number }.ConnectionString,
            ("RateLimits:MailPermits", "0"), ("RateLimits:AddressPermits", "0")).CreateClient();

        Task<long> HeldAsync(string condition) => _room.ScalarAsync<long>(
            $"select count(*) from pg_stat_activity where datname = current_database() and application_name = 'ariya-api' {condition}");

        static async Task<LoadAnswer> TimedAsync(HttpClient api, int n)
        {
            var started = Stopwatch.GetTimestamp();
            using var answer = await api.ForgotAsync($"{n}@example.com");
            var code = answer.IsSuccessStatusCode ? null : (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["code"];
            return new LoadAnswer("forgot", (int)answer.StatusCode, code, Stopwatch.GetElapsedTime(started));
        }
    }

    [Fact]
    [Trait("Promise", "P54")]
    public async Task OthersTakeEveryConnectionOfTheServer()
    {
        // Roles without the right to those that the server keeps for its owner.
        var (role, strangers) = ($"plain_{_room.Database}", new List<NpgsqlConnection>());
        await server.Postgres.AdministerAsync($"create role {role} login password 'plain'");
        await _room.SqlAsync($"grant all on all tables in schema public to {role}");
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Username = role, Password = "plain" };
        try
        {
            var answers = await FaultAsync(connection.ConnectionString, async () =>
            {
                connection.Pooling = false;
                await FillAsync();
                // What its pool had before is theirs too, as far as it is not faster.
                await CutAsync();
                await FillAsync();
            }, async () =>
            {
                foreach (var stranger in strangers)
                {
                    await stranger.DisposeAsync();
                }
            }, isNoticed: false);
            Assert.Contains(answers, answer => answer.Status == 503);
        }
        finally
        {
            await _room.SqlAsync($"drop owned by {role}");
        }

        async Task FillAsync()
        {
            while (strangers.Count < 200)
            {
                var stranger = new NpgsqlConnection(connection.ConnectionString);
                try
                {
                    await stranger.OpenAsync();
                    strangers.Add(stranger);
                }
                catch (PostgresException full) when (full.SqlState == PostgresErrorCodes.TooManyConnections)
                {
                    return;
                }
            }

            Assert.Fail("The server takes more than 200 connections.");
        }
    }

    [Fact]
    public async Task Slow()
    {
        await using var proxy = FaultProxy.To(server.Postgres.Port);
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Port = proxy.Port }.ConnectionString;
        await FaultAsync(connection, () => { proxy.Latency = TimeSpan.FromMilliseconds(150); return Task.CompletedTask; },
            () => { proxy.Latency = TimeSpan.Zero; return Task.CompletedTask; }, isNoticed: false, isServed: true);
    }

    [Fact]
    public async Task Silent()
    {
        await using var proxy = FaultProxy.To(server.Postgres.Port);
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Port = proxy.Port }.ConnectionString;
        await FaultAsync(connection, () => { proxy.IsBlackHole = true; return Task.CompletedTask; },
            () => { proxy.IsBlackHole = false; proxy.Cut(); return Task.CompletedTask; });
    }

    [Fact]
    public async Task AGuessThatOutlastsItsRequestIsCountedAllTheSame()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, _room.Connection, ("Requests:Timeout", "00:00:03"), ("Redis:Patience", "00:00:05")).CreateClient();
        var email = await _room.AddAccountAsync();
        // Signed in where there is time for it; known where there is not.
        var token = (await Person.TokensAsync(await _room.StartApi(server.Redis.ConnectionString).CreateClient().LoginAsync(email))).Access;
        await Wait.UntilAsync("the token to be known", TimeSpan.FromSeconds(30), async () =>
        {
            using var known = await api.CallAsync(HttpMethod.Get, "/api/v1/account", token: token);
            return known.StatusCode == HttpStatusCode.OK ? "" : null;
        });
        await using var blocker = new NpgsqlConnection(_room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("lock table sign_in_failures in exclusive mode", blocker, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        using var guess = await api.CallAsync(HttpMethod.Post, "/api/v1/account/password",
            new { currentPassword = "not the sentence at all", newPassword = "another sentence nobody types" }, token: token);
        Assert.Equal("unavailable", await Person.CodeAsync(guess, HttpStatusCode.ServiceUnavailable));
        await transaction.RollbackAsync();
        await Wait.UntilAsync("the guess to be counted", TimeSpan.FromSeconds(10), async () =>
            await _room.ScalarAsync<long>("select coalesce(sum(failures), 0)::bigint from sign_in_failures") > 0 ? "" : null);
    }

    [Fact]
    public async Task WhoeverSendsTheirBodyTooLateToBeServedHasUsedATry()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, _room.Connection, ("Requests:Timeout", "00:00:02"), ("Redis:Patience", "00:00:05")).CreateClient();
        await Conditions.UntilRedisAsync(api, "healthy");
        await using var blocker = new NpgsqlConnection(_room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("lock table registrations in exclusive mode", blocker, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        const string Json = """{"email":"ada@example.com","password":"a sentence nobody else types","firstName":"Ada","lastName":"Lovelace"}""";
        Task<HttpResponseMessage> RegisterAsync(TimeSpan late) => api.CallAsync(HttpMethod.Post, "/api/v1/auth/register", new LateJson(Json, late));
        foreach (var late in new[] { TimeSpan.Zero, TimeSpan.FromSeconds(1.3) })
        {
            using var refused = await RegisterAsync(late);
            Assert.Equal("unavailable", await Person.CodeAsync(refused, HttpStatusCode.ServiceUnavailable));
        }

        await transaction.RollbackAsync();
        using var served = await RegisterAsync(TimeSpan.Zero);
        Assert.Equal(HttpStatusCode.Accepted, served.StatusCode);
        // Of ten: the late one and this one. The first was given back.
        Assert.Equal(8, Limits.LimitFields.Of(served).Left["mail"].Left);
    }

    /// <summary>A body that comes when half of the request's time is over: how late it is, is what is tried.</summary>
    private sealed class LateJson : HttpContent
    {
        private readonly byte[] _json;
        private readonly TimeSpan _late;

        public LateJson(string json, TimeSpan late)
        {
            (_json, _late) = (Encoding.UTF8.GetBytes(json), late);
            Headers.ContentType = new("application/json");
        }

        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            await stream.WriteAsync(_json.AsMemory(0, 10));
            await stream.FlushAsync();
            await Task.Delay(_late);
            await stream.WriteAsync(_json.AsMemory(10));
        }

        protected override bool TryComputeLength(out long length)
        {
            length = 0;
            return false;
        }
    }

    [Fact]
    public async Task ASilentServerHoldsNoRequestLongerThanItsTime()
    {
        await using var proxy = FaultProxy.To(server.Postgres.Port);
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Port = proxy.Port }.ConnectionString;
        var api = _room.StartApi(server.Redis.ConnectionString, connection, ("Requests:Timeout", "00:00:02"), ("Redis:Patience", "00:00:05")).CreateClient();
        var email = await _room.AddAccountAsync();
        var tokens = await Person.TokensAsync(await api.LoginAsync(email));
        var fresh = await Person.TokensAsync(await api.LoginAsync(email));
        using var before = await api.CallAsync(HttpMethod.Get, "/api/v1/account/sessions", token: tokens.Access);
        Assert.Equal(HttpStatusCode.OK, before.StatusCode);

        proxy.IsBlackHole = true;
        // A statement of an endpoint, one of a transaction, one of the authentication of a token that was not seen before, one that asks who is an operator.
        var asked = Stopwatch.GetTimestamp();
        var answers = await Task.WhenAll(new[]
        {
            api.ForgotAsync("ada@example.com"), api.ForgotAsync("ada@example.com", key: "silent"), api.LoginAsync(email),
            api.CallAsync(HttpMethod.Get, "/api/v1/account/sessions", token: tokens.Access), api.CallAsync(HttpMethod.Get, "/api/v1/account", token: fresh.Access),
            api.CallAsync(HttpMethod.Get, "/api/v1/admin/cleanup", token: tokens.Access),
        }.Select(async call => (Answer: await call, Took: Stopwatch.GetElapsedTime(asked))));
        foreach (var (answer, took) in answers)
        {
            Assert.Equal("unavailable", await Person.CodeAsync(answer, HttpStatusCode.ServiceUnavailable));
            Assert.True(answer.Headers.RetryAfter is not null);
            // The driver alone needs three seconds more for its request to cancel.
            Assert.InRange(took, TimeSpan.Zero, TimeSpan.FromSeconds(3.5));
            answer.Dispose();
        }

        proxy.IsBlackHole = false;
        proxy.Cut();
        await Conditions.UntilDatabaseAsync(api, "healthy");
        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from outbox_messages where kind like 'mail.password-reset%'"));
    }

    [Fact]
    public async Task ACommitUnderWayIsNotCutByTheTimeOfItsRequest()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, _room.Connection, ("Requests:Timeout", "00:00:03"), ("Redis:Patience", "00:00:05")).CreateClient();
        await _room.SqlAsync("create function slow() returns trigger language plpgsql as $f$ begin perform pg_sleep(4); return null; end $f$");
        await _room.SqlAsync(
            "create constraint trigger slow after insert on outbox_messages deferrable initially deferred for each row execute function slow()");

        using var late = await api.ForgotAsync("ada@example.com", key: "late");
        Assert.Equal("unavailable", await Person.CodeAsync(late, HttpStatusCode.ServiceUnavailable));
        var again = await Wait.UntilAsync("the answer of the first", TimeSpan.FromSeconds(20), async () =>
        {
            using var answer = await api.ForgotAsync("ada@example.com", key: "late");
            return answer.StatusCode == HttpStatusCode.Conflict ? null : $"{(int)answer.StatusCode} {answer.Header("Idempotent-Replayed")}";
        });
        Assert.Equal("202 true", again);
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    public async Task ACommitWhoseAnswerIsLostIsFoundOutByItsKeyAndNotDoneAgain()
    {
        await using var proxy = FaultProxy.To(server.Postgres.Port);
        var connection = new NpgsqlConnectionStringBuilder(_room.Connection) { Port = proxy.Port }.ConnectionString;
        var api = _room.StartApi(server.Redis.ConnectionString, connection).CreateClient();
        await Conditions.UntilDatabaseAsync(api, "healthy");

        // Alone nobody knows what became of it: 503, and the row is there.
        proxy.CutAfter = Encoding.ASCII.GetBytes("insert into outbox_messages");
        using var unknown = await api.ForgotAsync("ada@example.com");
        Assert.Equal("unavailable", await Person.CodeAsync(unknown, HttpStatusCode.ServiceUnavailable));
        await Wait.UntilAsync("the row", TimeSpan.FromSeconds(10), async () => await _room.ScalarAsync<long>("select count(*) from outbox_messages") == 1 ? "" : null);

        proxy.CutAfter = [.. "COMMIT"u8, 0];
        using var answer = await api.ForgotAsync("grace@example.com", key: "lost");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        Assert.Null(proxy.CutAfter);
        using var again = await api.ForgotAsync("grace@example.com", key: "lost");
        Assert.Equal((HttpStatusCode.Accepted, "true"), (again.StatusCode, again.Header("Idempotent-Replayed")));
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from outbox_messages where recipient = 'grace@example.com'"));
    }

    private async Task<IReadOnlyCollection<LoadAnswer>> FaultAsync(
        string connection, Func<Task> fault, Func<Task> repair, bool isNoticed = true, bool isServed = false)
    {
        var api = _room.StartApi(
            server.Redis.ConnectionString, connection,
            ("RateLimits:ApiPermits", "1000000"), ("RateLimits:AuthTotalPermits", "1000000"), ("RateLimits:MailPermits", "1000000"), ("RateLimits:NetworkDayPermits", "1000000")).CreateClient();
        await Conditions.UntilDatabaseAsync(api, "healthy");
        await using var load = await Load.StartAsync(_room, api);
        var calm = await load.GoOnAsync(5);
        Assert.True(calm.All(Load.IsSuccess), Load.Describe(calm));

        try
        {
            await fault();
            await load.GoOnAsync(5);
            using var alive = await api.GetAsync(new Uri("/alive", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, alive.StatusCode);
            if (isNoticed)
            {
                await Conditions.UntilDatabaseAsync(api, "unhealthy");
                using var ready = await api.GetAsync(new Uri("/health", UriKind.Relative));
                Assert.Equal(HttpStatusCode.ServiceUnavailable, ready.StatusCode);
            }

            await load.GoOnAsync(5);
        }
        finally
        {
            await repair();
        }

        await Conditions.UntilDatabaseAsync(api, "healthy");
        await load.BackToNormalAsync(s_recovery);
        Assert.True(load.Answers.All(answer => Load.IsSuccess(answer) || (!isServed && answer is { Status: 503, Code: "unavailable" or "busy" })),
            Load.Describe(load.Answers));
        Assert.True(load.Answers.All(answer => answer.Took < s_longest), Load.Describe(load.Answers));
        // Whatever was acknowledged is there.
        var acknowledged = load.Answers.Count(answer => answer is { Operation: "forgot", Status: 202 });
        _room.ForgetConnections();
        Assert.InRange(await _room.ScalarAsync<long>("select count(*) from outbox_messages where kind like 'mail.password-reset%'"), acknowledged, int.MaxValue);
        return load.Answers;
    }

    private Task CutAsync() => server.Postgres.AdministerAsync(
        $"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{_room.Database}' and application_name = 'ariya-api'");
}
