using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Idempotency;

/// <summary>Requests that a client repeats because it does not know whether the first one arrived.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class IdempotencyTests(ServerRoom server) : IAsyncLifetime
{
    private const string Forgot = "/api/v1/auth/forgot-password";
    private Room _room = null!;
    private HttpClient _one = null!;
    private HttpClient _other = null!;

    public async Task InitializeAsync()
    {
        _room = await server.OpenAsync();
        _one = _room.StartApi(server.Redis.ConnectionString).CreateClient();
        _other = _room.StartApi(server.Redis.ConnectionString).CreateClient();
        await Conditions.UntilRedisAsync(_one, "healthy");
        await Conditions.UntilRedisAsync(_other, "healthy");
    }

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Fact]
    [Trait("Promise", "P41")]
    public async Task TheSameRegistrationTwentyTimesAtOnceIsOneRegistrationAndOneMail()
    {
        var body = new { email = "ada@example.com", password = ServerRoom.Password, firstName = "Ada", lastName = "Lovelace" };
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(n =>
            (n % 2 == 0 ? _one : _other).CallAsync(HttpMethod.Post, "/api/v1/auth/register", body, key: "one")));
        Assert.Contains(HttpStatusCode.Accepted, answers.Select(answer => answer.StatusCode));
        foreach (var answer in answers.Where(answer => answer.StatusCode != HttpStatusCode.Accepted))
        {
            Assert.Equal("idempotency_in_flight", await Person.CodeAsync(answer, HttpStatusCode.Conflict));
        }

        using var later = await _other.CallAsync(HttpMethod.Post, "/api/v1/auth/register", body, "198.51.100.4", key: "one");
        Assert.Equal((HttpStatusCode.Accepted, "true"), (later.StatusCode, later.Header("Idempotent-Replayed")));
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from registrations"));
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from audit_events"));
    }

    [Fact]
    [Trait("Promise", "P39")]
    public async Task ARepeatGetsTheSameAnswerAndCostsNoLimit()
    {
        for (var n = 0; n < 30; n++)
        {
            using var answer = await (n % 2 == 0 ? _one : _other).ForgotAsync("Ada@example.com", "203.0.113.5", key: "again");
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            Assert.Equal(n == 0 ? "" : "true", answer.Header("Idempotent-Replayed"));
            Assert.Contains("\"mail\";r=9;", answer.Header("RateLimit"), StringComparison.Ordinal);
        }

        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    [Trait("Promise", "P40")]
    public async Task AnotherBodyUnderTheSameKeyIsRefusedAndDoesNothing()
    {
        var body = new { email = "ada@example.com", password = ServerRoom.Password, firstName = "Ada", lastName = "Lovelace" };
        await _one.CallAsync(HttpMethod.Post, "/api/v1/auth/register", body, key: "key");
        using var other = await _one.CallAsync(HttpMethod.Post, "/api/v1/auth/register", body with { lastName = "Byron" }, key: "key");
        Assert.Equal("idempotency_key_reused", await Person.CodeAsync(other, HttpStatusCode.UnprocessableEntity));
        Assert.Equal("Lovelace", await _room.ScalarAsync<string>("select last_name from registrations"));
    }

    [Fact]
    [Trait("Promise", "P42")]
    public async Task AKeyIsOfOneCallerAndOneRoute()
    {
        foreach (var (path, email) in new[] { ("forgot-password", "ada"), ("forgot-password", "grace"), ("resend-verification", "ada") })
        {
            using var answer = await _one.CallAsync(HttpMethod.Post, $"/api/v1/auth/{path}", new { email = $"{email}@example.com" }, key: "1");
            Assert.Equal((HttpStatusCode.Accepted, ""), (answer.StatusCode, answer.Header("Idempotent-Replayed")));
        }

        Assert.Equal(3, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Theory]
    [InlineData("")]
    [InlineData("a key with spaces")]
    [InlineData("256")]
    public async Task AKeyIsOneTo255VisibleCharacters(string key)
    {
        using var answer = await _one.ForgotAsync("ada@example.com", key: key == "256" ? new string('k', 256) : key);
        Assert.Equal("validation_failed", await Person.CodeAsync(answer, HttpStatusCode.BadRequest));
        Assert.Contains("Idempotency-Key", await answer.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    public async Task TheLongestKeyThereIsWorks()
    {
        using var answer = await _one.ForgotAsync("ada@example.com", key: new string('~', 255));
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
    }

    [Fact]
    public async Task TheRecordAndTheEffectAreOneTransaction()
    {
        using var answer = await _one.ForgotAsync("ada@example.com", key: "whole");
        Assert.Equal(1, await _room.ScalarAsync<long>(
            "select count(*) from idempotency_keys k join outbox_messages o on o.xmin = k.xmin join audit_events e on e.xmin = k.xmin"));

        await _room.SqlAsync("alter table idempotency_keys add constraint full_up check (status = 0) not valid");
        using var failed = await _one.ForgotAsync("grace@example.com", key: "whole");
        Assert.Equal(HttpStatusCode.InternalServerError, failed.StatusCode);
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));

        await _room.SqlAsync("alter table idempotency_keys drop constraint full_up");
        using var again = await _one.ForgotAsync("grace@example.com", key: "whole");
        Assert.Equal((HttpStatusCode.Accepted, ""), (again.StatusCode, again.Header("Idempotent-Replayed")));
        Assert.Equal(2, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    public async Task WhatIsRefusedForGoodIsRefusedAgainAndWhatIsRefusedForNowIsNot()
    {
        var token = new string('A', 43);
        var reset = new { token, password = "another sentence nobody types" };
        using var first = await _one.CallAsync(HttpMethod.Post, "/api/v1/auth/reset-password", reset, "203.0.113.6", key: "reset");
        using var again = await _one.CallAsync(HttpMethod.Post, "/api/v1/auth/reset-password", reset, "203.0.113.6", key: "reset");
        Assert.Equal("token_invalid", await Person.CodeAsync(again, HttpStatusCode.BadRequest));
        Assert.Equal("true", again.Header("Idempotent-Replayed"));
        Assert.Equal(await first.Content.ReadAsStringAsync(), await again.Content.ReadAsStringAsync());

        for (var n = 0; n < 5; n++)
        {
            await _one.ForgotAsync("grace@example.com", $"192.0.{n}.1");
        }

        using var limited = await _one.ForgotAsync("grace@example.com", "192.0.2.9", key: "limited");
        Assert.Equal(HttpStatusCode.TooManyRequests, limited.StatusCode);
        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from idempotency_keys"));
    }

    [Fact]
    [Trait("Promise", "P39")]
    [Trait("Promise", "P40")]
    public async Task AnAccountThatWasChangedIsChangedOnce()
    {
        var email = await _room.AddAccountAsync();
        var token = (await Person.TokensAsync(await _one.LoginAsync(email))).Access;
        var answers = new List<HttpResponseMessage>();
        for (var n = 0; n < 3; n++)
        {
            answers.Add(await (n == 1 ? _other : _one).CallAsync(HttpMethod.Patch, "/api/v1/account", new { firstName = "Augusta" }, token: token, key: "patch"));
        }

        Assert.All(answers, answer => Assert.Equal((HttpStatusCode.OK, "\"2\""), (answer.StatusCode, answer.Headers.ETag!.Tag)));
        Assert.Single((await Task.WhenAll(answers.Select(answer => answer.Content.ReadAsStringAsync()))).Distinct());
        Assert.Equal("Augusta", (string?)JsonNode.Parse(await answers[2].Content.ReadAsStringAsync())!["firstName"]);
        Assert.Equal(2, await _room.ScalarAsync<int>("select version from accounts where email_canonical = $1", email));

        // Another condition is another request.
        using var conditional = new HttpRequestMessage(HttpMethod.Patch, "/api/v1/account") { Content = System.Net.Http.Json.JsonContent.Create(new { firstName = "Augusta" }) };
        conditional.Headers.Add("Authorization", $"Bearer {token}");
        conditional.Headers.Add("Idempotency-Key", "patch");
        conditional.Headers.Add("If-Match", "\"2\"");
        Assert.Equal(HttpStatusCode.UnprocessableEntity, (await _one.SendAsync(conditional)).StatusCode);
    }

    [Fact]
    [Trait("Promise", "P39")]
    public async Task APasswordIsChangedOnceAndTheRepeatSaysSoWithoutAnotherGuess()
    {
        var email = await _room.AddAccountAsync();
        var token = (await Person.TokensAsync(await _one.LoginAsync(email))).Access;
        var change = new { currentPassword = ServerRoom.Password, newPassword = "another sentence nobody types" };
        for (var n = 0; n < 3; n++)
        {
            using var answer = await _one.CallAsync(HttpMethod.Post, "/api/v1/account/password", change, token: token, key: "change");
            Assert.Equal((HttpStatusCode.NoContent, n == 0 ? "" : "true"), (answer.StatusCode, answer.Header("Idempotent-Replayed")));
        }

        Assert.Equal(1, await _room.ScalarAsync<long>("select count(*) from audit_events where kind = 'password.changed'"));
        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from audit_events where kind = 'session.sign_in_failed'"));
        // What is kept of a request tells nothing of its body, and of the answer only the answer.
        Assert.Equal(0, await _room.ScalarAsync<long>("select count(*) from idempotency_keys where convert_from(body, 'UTF8') like '%sentence%'"));
    }

    [Fact]
    [Trait("Promise", "P43")]
    public async Task AKeyOutlivesARestartAndAnEmptyRedisButNotTheDay()
    {
        await _one.ForgotAsync("ada@example.com", key: "day");
        await server.Redis.CommandAsync("FLUSHALL");
        var restarted = _room.StartApi(server.Redis.ConnectionString).CreateClient();
        using var replayed = await restarted.ForgotAsync("ada@example.com", key: "day");
        Assert.Equal((HttpStatusCode.Accepted, "true"), (replayed.StatusCode, replayed.Header("Idempotent-Replayed")));

        await _room.SqlAsync("update idempotency_keys set created_at = created_at - interval '24 hours'");
        using var answer = await _one.ForgotAsync("ada@example.com", key: "day");
        Assert.Equal((HttpStatusCode.Accepted, ""), (answer.StatusCode, answer.Header("Idempotent-Replayed")));
        Assert.Equal(2, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    [Trait("Promise", "P41")]
    public async Task ARequestThatAnotherInstanceIsWorkingOnIsRefusedAtOnce()
    {
        // The first one waits for the row of the account with everything done but its effect.
        var email = await _room.AddAccountAsync();
        var token = (await Person.TokensAsync(await _one.LoginAsync(email))).Access;
        await using var blocker = new Npgsql.NpgsqlConnection(_room.Connection);
        await blocker.OpenAsync();
        await using var transaction = await blocker.BeginTransactionAsync();
        await using (var command = new Npgsql.NpgsqlCommand("select 1 from accounts for update", blocker, transaction))
        {
            await command.ExecuteNonQueryAsync();
        }

        var first = _one.CallAsync(HttpMethod.Patch, "/api/v1/account", new { firstName = "Augusta" }, token: token, key: "slow");
        await Wait.UntilAsync("a waiting statement", TimeSpan.FromSeconds(10), async () => await _room.ScalarAsync<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 1 ? "" : null);
        using var second = await _other.CallAsync(HttpMethod.Patch, "/api/v1/account", new { firstName = "Augusta" }, token: token, key: "slow");
        Assert.Equal("idempotency_in_flight", await Person.CodeAsync(second, HttpStatusCode.Conflict));
        Assert.False(first.IsCompleted);
        await transaction.CommitAsync();
        using var answer = await first;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task LookingForKeysIsLimitedWhereRepeatsCostNoLimit()
    {
        var answers = await Task.WhenAll(Enumerable.Range(0, 400).Select(n => _one.ForgotAsync("ada@example.com", "203.0.113.9", key: $"{n}")));
        Assert.InRange(answers.Count(answer => answer.StatusCode == HttpStatusCode.Accepted), 1, 5);
        var problems = await Task.WhenAll(answers.Select(answer => answer.Content.ReadAsStringAsync()));
        Assert.Equal(100, problems.Count(problem => problem.Contains("\"violated-policies\":[\"repeats\"]", StringComparison.Ordinal)));
    }

    [Theory]
    [Trait("Promise", "P53")]
    [InlineData("40001", 2, null, HttpStatusCode.Accepted)]
    [InlineData("40P01", 2, "key", HttpStatusCode.Accepted)]
    [InlineData("40001", 100, null, HttpStatusCode.ServiceUnavailable)]
    [InlineData("40001", 100, "key", HttpStatusCode.ServiceUnavailable)]
    [InlineData("55P03", 1, null, HttpStatusCode.ServiceUnavailable)]
    [InlineData("55P03", 1, "key", HttpStatusCode.ServiceUnavailable)]
    [InlineData("58030", 1, null, HttpStatusCode.ServiceUnavailable)]
    [InlineData("XX000", 1, "key", HttpStatusCode.ServiceUnavailable)]
    [InlineData("P0001", 1, null, HttpStatusCode.ServiceUnavailable)]
    [InlineData("23514", 1, null, HttpStatusCode.InternalServerError)]
    public async Task AConflictIsTriedAgainAFewTimesAndNothingElseIs(string sqlState, int times, string? key, HttpStatusCode expected)
    {
        await _room.SqlAsync(
            $"""
             create sequence tries;
             create function conflict() returns trigger language plpgsql as $$
             begin
               if nextval('tries') <= {times} then raise exception 'a conflict' using errcode = '{sqlState}'; end if;
               return new;
             end $$;
             create trigger conflict before insert on outbox_messages for each row execute function conflict()
             """);
        using var answer = await _one.CallAsync(HttpMethod.Post, Forgot, new { email = "ada@example.com" }, key: key);
        Assert.Equal(expected, answer.StatusCode);
        Assert.Equal(expected == HttpStatusCode.Accepted ? 1 : 0, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
        Assert.Equal(Math.Min(times + 1, sqlState.StartsWith("40", StringComparison.Ordinal) ? 4 : 1), await _room.ScalarAsync<long>("select last_value from tries"));
    }
}
