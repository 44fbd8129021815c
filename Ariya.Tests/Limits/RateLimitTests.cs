using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Ariya.Api.Passwords;
using Ariya.Data.Tokens;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Limits;

/// <summary>The limits as clients meet them, on two instances behind one Redis, with the product's own numbers.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class RateLimitTests(ServerRoom server) : IAsyncLifetime
{
    private Room _room = null!;

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Theory]
    [Trait("Promise", "P34")]
    [Trait("Promise", "P35")]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task TwoInstancesAdmitWhatOneWould(string kind)
    {
        await using var redis = await RedisServer.StartAsync(kind);
        var (one, other) = await PairAsync(redis);
        var email = $"{Guid.CreateVersion7():N}@example.com";
        // One address and one route, however they are spelled.
        string[] spellings = [email, email.ToUpperInvariant(), $" {email} ", email.Replace("example", "EXAMPLE", StringComparison.Ordinal)];
        string[] paths = ["/api/v1/auth/login", "/API/v1/auth/Login", "/api/v1/auth/login/", "/api/v1/auth/%6Cogin"];
        var answers = await Task.WhenAll(Enumerable.Range(0, 40).Select(n => (n % 2 == 0 ? one : other)
            .LoginAsync(spellings[n % 3 == 2 ? 3 : n % 2], "203.0.113.7", "not the sentence at all", paths[n / 2 % 4])));
        var statuses = answers.Select(answer => answer.StatusCode).ToList();
        Assert.Equal((5, 35), (statuses.Count(status => status == HttpStatusCode.Unauthorized),
            statuses.Count(status => status == HttpStatusCode.TooManyRequests)));
        Assert.Equal(5, await _room.ScalarAsync<long>("select count(*) from audit_events where kind = 'session.sign_in_failed'"));
    }

    [Fact]
    [Trait("Promise", "P33")]
    public async Task ARefusalSaysWhichLimitAndWhenToComeBack()
    {
        var (one, _) = await PairAsync(server.Redis);
        var email = $"{Guid.CreateVersion7():N}@example.com";
        for (var n = 4; n >= 0; n--)
        {
            using var admitted = await one.LoginAsync(email, "203.0.113.8", "not the sentence at all");
            Assert.Equal(HttpStatusCode.Unauthorized, admitted.StatusCode);
            Assert.Contains($"\"auth\";r={n};t=", admitted.Header("RateLimit"), StringComparison.Ordinal);
            Assert.Equal(("5", $"{n}"), (admitted.Header("X-RateLimit-Limit"), admitted.Header("X-RateLimit-Remaining")));
        }

        using var refused = await one.LoginAsync(email, "203.0.113.8");
        Assert.Equal("rate_limited", await Person.CodeAsync(refused, HttpStatusCode.TooManyRequests));
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal(["auth"], problem["violated-policies"]!.AsArray().Select(policy => (string?)policy));
        Assert.Equal(
            "\"auth\";q=5;w=900, \"auth-total\";q=300;w=900, \"network\";q=100;w=900, \"network-day\";q=500;w=86400, \"wide-network\";q=1000;w=900, \"wide-network-day\";q=5000;w=86400",
            refused.Header("RateLimit-Policy"));
        var retryAfter = refused.Headers.RetryAfter!.Delta!.Value;
        Assert.InRange(retryAfter, TimeSpan.FromSeconds(880), TimeSpan.FromSeconds(901));
        Assert.Contains($"\"auth\";r=0;t={retryAfter.TotalSeconds}", refused.Header("RateLimit"), StringComparison.Ordinal);
        var reset = DateTimeOffset.FromUnixTimeSeconds(long.Parse(refused.Header("X-RateLimit-Reset"), CultureInfo.InvariantCulture));
        Assert.InRange(reset - TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(870), TimeSpan.FromSeconds(902));
        // What neighbours do in a wider network, and what others do at an address, is nobody's to read.
        Assert.DoesNotContain("wide", refused.Header("RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASuccessForgetsTheTriesOfItsPairAlone()
    {
        var (one, other) = await PairAsync(server.Redis);
        var (email, somebody) = (await _room.AddAccountAsync(), await _room.AddAccountAsync());
        for (var n = 0; n < 4; n++)
        {
            await one.LoginAsync(email, "203.0.113.9", "not the sentence at all");
            await one.LoginAsync(somebody, "203.0.113.9", "not the sentence at all");
        }

        using var success = await other.LoginAsync(email, "203.0.113.9");
        Assert.Equal(HttpStatusCode.OK, success.StatusCode);
        using var again = await one.LoginAsync(email, "203.0.113.9", "not the sentence at all");
        Assert.Contains("\"auth\";r=4;", again.Header("RateLimit"), StringComparison.Ordinal);
        // Eight failures before and one now: the success gave its own permit back and no other.
        Assert.Contains("\"network\";r=91;", again.Header("RateLimit"), StringComparison.Ordinal);
        using var ofSomebody = await one.LoginAsync(somebody, "203.0.113.9", "not the sentence at all");
        Assert.Contains("\"auth\";r=0;", ofSomebody.Header("RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneNetworkGuessesAtMostAHundredTimesWhateverTheAccountAndItsNeighboursAreNotHeldUp()
    {
        // Ten guesses instead of a hundred: the same rule, sooner.
        var api = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:NetworkPermits", "10"), ("RateLimits:WideNetworkFactor", "2")).CreateClient();
        Task<HttpResponseMessage> Guess(string from) => api.LoginAsync($"{Guid.CreateVersion7():N}@example.com", from, "Winter2026 Winter2026");
        async Task<int> AdmittedAsync(string from, int guesses) =>
            (await Task.WhenAll(Enumerable.Range(0, guesses).Select(_ => Guess(from)))).Count(answer => answer.StatusCode == HttpStatusCode.Unauthorized);

        Assert.Equal(10, await AdmittedAsync("198.51.100.1", 15));
        Assert.Equal(10, await AdmittedAsync("198.51.100.2", 15));
        Assert.Equal(0, await AdmittedAsync("198.51.100.3", 3));
        Assert.Equal(3, await AdmittedAsync("198.51.101.1", 3));

        // Six IPv6 addresses of one subscriber are one network; a mapped IPv4 address is that IPv4 address.
        Assert.Equal(6, await AdmittedAsync("2001:db8:1:1::1", 6));
        Assert.Equal(4, await AdmittedAsync("2001:db8:1:1:ffff::2", 6));
        Assert.Equal(0, await AdmittedAsync("::ffff:198.51.100.1", 1));
    }

    [Fact]
    public async Task ThePageThatTakesAPasswordTakesFiveWrongOnesAndFromElsewhereTheRightOne()
    {
        var (one, _) = await PairAsync(server.Redis);
        var token = Base64Url.EncodeToString(SHA256.HashData("contested"u8));
        await _room.SqlAsync(
            """
            with r as (
              insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent, expires_at)
              select gen_random_uuid(), 'ada@example.com', 'ada@example.com', $1, 'Ada', 'L', n::text::bytea, 'n', 'a', now() + interval '7 days'
              from generate_series(1, 2) n returning id),
            m as (
              insert into outbox_messages (id, mail_id, kind, state, deliver_before, salt)
              values (gen_random_uuid(), gen_random_uuid(), 'mail.test.v1', 'sent', now(), '\x00') returning id)
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            select m.id, $2, (select id from r limit 1), 'ada@example.com', $3, '\x00', 'key', now() + interval '1 day' from m
            """, _room.PasswordHash, OneTimeToken.VerifyEmail, OneTimeTokenKeys.Hash(token)!);
        Task<HttpResponseMessage> PressAsync(string password, string from) => one.CallAsync(
            HttpMethod.Post, "/verify-email", new FormUrlEncodedContent([new("token", token), new("password", password)]), from);

        var statuses = (await Task.WhenAll(Enumerable.Range(0, 8).Select(_ => PressAsync("not the sentence at all", "203.0.113.70"))))
            .CountBy(answer => answer.StatusCode).ToDictionary();
        Assert.Equal((5, 3), (statuses[HttpStatusCode.Unauthorized], statuses[HttpStatusCode.TooManyRequests]));
        using var right = await PressAsync(ServerRoom.Password, "198.51.100.70");
        Assert.Equal("/verify-email?result=verified", right.RequestMessage!.RequestUri!.PathAndQuery);
    }

    [Fact]
    public async Task ManySuccessesFromOneOfficeUseNothingUp()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:NetworkPermits", "3")).CreateClient();
        for (var n = 0; n < 8; n++)
        {
            Assert.Equal(HttpStatusCode.OK, (await api.LoginAsync(await _room.AddAccountAsync(), "203.0.113.20")).StatusCode);
        }
    }

    [Fact]
    [Trait("Promise", "P34")]
    [Trait("Promise", "P35")]
    public async Task MailIsAskedForTenTimesAMinuteAndFiveTimesAnHourForAnAddress()
    {
        var (one, other) = await PairAsync(server.Redis);
        var (known, unknown) = (await _room.AddAccountAsync(), $"{Guid.CreateVersion7():N}@example.com");
        foreach (var email in new[] { known, unknown })
        {
            var answers = await Task.WhenAll(Enumerable.Range(0, 8).Select(n =>
                (n % 2 == 0 ? one : other).ForgotAsync(n % 3 == 0 ? email.ToUpperInvariant() : email, $"192.0.{n}.1")));
            Assert.Equal(5, answers.Count(answer => answer.StatusCode == HttpStatusCode.Accepted));
            var refused = answers.First(answer => answer.StatusCode == HttpStatusCode.TooManyRequests);
            Assert.Contains("\"violated-policies\":[\"address\"]", await refused.Content.ReadAsStringAsync(), StringComparison.Ordinal);
            Assert.DoesNotContain("address", refused.Header("RateLimit"), StringComparison.Ordinal);
            Assert.Equal(5, await _room.ScalarAsync<long>("select count(*) from outbox_messages where recipient = $1", email));
        }

        var fromOne = await Task.WhenAll(Enumerable.Range(0, 14).Select(n => one.ForgotAsync($"{n}.{unknown}", "192.0.2.99")));
        Assert.Equal(10, fromOne.Count(answer => answer.StatusCode == HttpStatusCode.Accepted));
    }

    [Fact]
    public async Task WhatIsNoRequestYetUsesNothingUpAndIsToldOfTheLimitsAllTheSame()
    {
        var (one, _) = await PairAsync(server.Redis);
        var answers = new List<HttpResponseMessage>
        {
            await one.CallAsync(HttpMethod.Post, "/api/v1/auth/forgot-password", new { email = "no address" }, "203.0.113.30"),
            await one.CallAsync(HttpMethod.Post, "/api/v1/auth/forgot-password", new { other = "member" }, "203.0.113.30"),
            await one.CallAsync(HttpMethod.Post, "/api/v1/auth/forgot-password", new StringContent("{", new System.Net.Http.Headers.MediaTypeHeaderValue("application/json")), "203.0.113.30"),
        };
        Assert.All(answers, answer =>
        {
            Assert.InRange((int)answer.StatusCode, 400, 415);
            Assert.Equal("\"mail\";r=10;t=0", answer.Header("RateLimit"));
        });
        using var anonymous = await one.CallAsync(HttpMethod.Get, "/api/v1/account", from: "203.0.113.30");
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);
        Assert.Equal("\"api\";q=100;w=3600", anonymous.Header("RateLimit-Policy"));
        using var notLimited = await one.GetAsync(new Uri("/api/health", UriKind.Relative));
        Assert.Equal("", notLimited.Header("RateLimit-Policy"));
    }

    [Fact]
    [Trait("Promise", "P35")]
    public async Task TwoHundredWrongPasswordsInOneInstantAreFiveChecksAndTheOwnerSignsInMeanwhile()
    {
        var (one, other) = await PairAsync(server.Redis);
        var email = await _room.AddAccountAsync();
        var flood = Enumerable.Range(0, 200).Select(n => (n % 2 == 0 ? one : other).LoginAsync(email, "203.0.113.66", "not the sentence at all")).ToList();
        using var owner = await other.LoginAsync(email, "198.51.100.9");
        Assert.Equal(HttpStatusCode.OK, owner.StatusCode);
        var statuses = (await Task.WhenAll(flood)).Select(answer => answer.StatusCode).ToList();
        Assert.Equal((5, 195), (statuses.Count(status => status == HttpStatusCode.Unauthorized),
            statuses.Count(status => status == HttpStatusCode.TooManyRequests)));
        Assert.Equal(5, await _room.ScalarAsync<long>("select count(*) from audit_events where kind = 'session.sign_in_failed'"));
    }

    [Fact]
    [Trait("Promise", "P33")]
    public async Task AfterTheWindowAsManyAreAdmittedAgain()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:AddressPermits", "2"), ("RateLimits:AddressWindow", "00:00:01")).CreateClient();
        var admitted = TimeProvider.System.GetTimestamp();
        Assert.Equal(HttpStatusCode.Accepted, (await api.ForgotAsync("ada@example.com")).StatusCode);
        Assert.Equal(HttpStatusCode.Accepted, (await api.ForgotAsync("ada@example.com")).StatusCode);
        await Wait.UntilAsync("the window's end", TimeSpan.FromSeconds(10), async () =>
            (await api.ForgotAsync("ada@example.com")).StatusCode == HttpStatusCode.Accepted ? "" : null);
        Assert.InRange(TimeProvider.System.GetElapsedTime(admitted), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(10));
        Assert.Equal(3, await _room.ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    [Trait("Promise", "P36")]
    public async Task OnlyAProxyThatIsNamedSaysWhereARequestComesFrom()
    {
        var behindProxy = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:MailPermits", "2")).CreateClient();
        var open = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:MailPermits", "2"), ("Proxies:Networks", "")).CreateClient();
        async Task<int> AdmittedAsync(HttpClient api) => (await Task.WhenAll(Enumerable.Range(0, 6).Select(n =>
            api.ForgotAsync($"{Guid.CreateVersion7():N}@example.com", $"198.51.100.{n}")))).Count(answer => answer.StatusCode == HttpStatusCode.Accepted);
        Assert.Equal(6, await AdmittedAsync(behindProxy));
        Assert.Equal(2, await AdmittedAsync(open));

        // What a client writes in front of what the proxy adds is not believed.
        var forged = await Task.WhenAll(Enumerable.Range(0, 4).Select(n =>
            behindProxy.ForgotAsync($"{Guid.CreateVersion7():N}@example.com", $"192.0.2.{n}, 203.0.113.50")));
        Assert.Equal(2, forged.Count(answer => answer.StatusCode == HttpStatusCode.Accepted));
    }

    [Fact]
    [Trait("Promise", "P38")]
    public async Task WhereSignInIsLimitedSessionsGoOnAndAResetIsPossible()
    {
        var (one, _) = await PairAsync(server.Redis);
        var email = await _room.AddAccountAsync();
        var tokens = await Person.TokensAsync(await one.LoginAsync(email, "203.0.113.60"));
        for (var n = 0; n < 5; n++)
        {
            await one.LoginAsync(email, "203.0.113.60", "not the sentence at all");
        }

        Assert.Equal(HttpStatusCode.TooManyRequests, (await one.LoginAsync(email, "203.0.113.60")).StatusCode);
        using var account = await one.CallAsync(HttpMethod.Get, "/api/v1/account", from: "203.0.113.60", token: tokens.Access);
        using var refresh = await one.CallAsync(HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = tokens.Refresh }, "203.0.113.60");
        using var forgot = await one.ForgotAsync(email, "203.0.113.60");
        using var reset = await one.CallAsync(
            HttpMethod.Post, "/api/v1/auth/reset-password", new { token = new string('A', 43), password = "another sentence nobody types" }, "203.0.113.60");
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.Accepted, HttpStatusCode.BadRequest),
            (account.StatusCode, refresh.StatusCode, forgot.StatusCode, reset.StatusCode));
    }

    [Fact]
    public async Task WhoSucceedsEveryTimeIsLimitedToo()
    {
        var api = _room.StartApi(server.Redis.ConnectionString, ("RateLimits:AuthTotalPermits", "7")).CreateClient();
        var email = await _room.AddAccountAsync();
        var statuses = new List<HttpStatusCode>();
        for (var n = 0; n < 9; n++)
        {
            statuses.Add((await api.LoginAsync(email, "203.0.113.40")).StatusCode);
        }

        Assert.Equal(7, statuses.Count(status => status == HttpStatusCode.OK));
        Assert.Equal(7, await _room.ScalarAsync<long>("select count(*) from sessions"));
    }

    [Fact]
    public async Task NoMoreHashesRunThanThereAreCoresAndANetworkThatHasHalfTheQueueIsToldToComeBack()
    {
        var host = _room.StartApi(server.Redis.ConnectionString);
        var api = host.CreateClient();
        var email = await _room.AddAccountAsync();
        var gate = host.Services.GetRequiredService<HashGate>();
        var running = new List<IDisposable?>();
        for (var core = 0; core < Environment.ProcessorCount; core++)
        {
            running.Add(await gate.EnterAsync("198.51.100.0/24", CancellationToken.None));
        }

        var waiting = Enumerable.Range(0, 64).Select(_ => gate.EnterAsync("203.0.113.0/24", CancellationToken.None).AsTask()).ToList();
        Assert.All(waiting, place => Assert.False(place.IsCompleted));
        using var refused = await api.LoginAsync(email, "203.0.113.90");
        Assert.Equal("busy", await Person.CodeAsync(refused, HttpStatusCode.ServiceUnavailable));
        var patient = api.LoginAsync(email, "192.0.2.90");
        running.ForEach(place => place!.Dispose());
        foreach (var place in waiting)
        {
            (await place)!.Dispose();
        }

        using var answer = await patient;
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
    }

    [Fact]
    public async Task AnOutageUsesNothingUp()
    {
        var (one, _) = await PairAsync(server.Redis);
        var token = await SignInAsync(one, await _room.AddAccountAsync());
        await _room.SqlAsync("alter table avatars rename to gone");
        await _room.SqlAsync("create function avatars_away() returns bytea language plpgsql as $$ begin raise exception 'away' using errcode = '57P01'; end $$");
        await _room.SqlAsync("create view avatars as select gen_random_uuid() as account_id, 'image/png' as content_type, avatars_away() as picture, avatars_away() as hash");
        for (var n = 0; n < 3; n++)
        {
            using var answer = await one.CallAsync(HttpMethod.Get, "/api/v1/account/avatar", token: token);
            Assert.Equal("unavailable", await Person.CodeAsync(answer, HttpStatusCode.ServiceUnavailable));
        }

        await _room.SqlAsync("drop view avatars");
        await _room.SqlAsync("alter table gone rename to avatars");
        using var after = await one.CallAsync(HttpMethod.Get, "/api/v1/account/avatar", token: token);
        Assert.Contains("\"api\";r=99;", after.Header("RateLimit"), StringComparison.Ordinal);
    }

    [Fact]
    [Trait("Promise", "P33")]
    public async Task EveryLimitedRouteCountsWhatItDoes()
    {
        var (one, _) = await PairAsync(server.Redis);
        var email = await _room.AddAccountAsync();
        var token = await SignInAsync(one, email);
        var unknown = new string('A', 43);
        foreach (var (method, path, body, policy) in new (HttpMethod, string, object?, string)[]
        {
            (HttpMethod.Post, "auth/register", new { email = "a@example.com", password = ServerRoom.Password, firstName = "Ada", lastName = "L" }, "mail"),
            (HttpMethod.Post, "auth/resend-verification", new { email }, "mail"),
            (HttpMethod.Post, "auth/forgot-password", new { email }, "mail"),
            (HttpMethod.Post, "auth/verify-email", new { token = unknown }, "auth"),
            (HttpMethod.Post, "auth/verify-email", new { email, code = "123456" }, "auth"),
            (HttpMethod.Post, "auth/reset-password", new { token = unknown, password = "another sentence nobody types" }, "auth"),
            (HttpMethod.Post, "auth/refresh", new { refreshToken = unknown }, "refresh"),
            (HttpMethod.Post, "auth/logout", new { refreshToken = unknown }, "refresh"),
            (HttpMethod.Get, "account", null, "api"),
            (HttpMethod.Patch, "account", new { firstName = "Augusta" }, "api"),
            (HttpMethod.Post, "account/password", new { currentPassword = "not the sentence at all", newPassword = "another sentence nobody types" }, "auth"),
            (HttpMethod.Post, "auth/login", new { email = "nobody@example.com", password = ServerRoom.Password }, "auth"),
            (HttpMethod.Put, "account/avatar", new { no = "picture" }, "upload"),
            (HttpMethod.Get, "account/avatar", null, "api"),
            (HttpMethod.Delete, "account/avatar", null, "api"),
            (HttpMethod.Get, "account/sessions", null, "api"),
            (HttpMethod.Delete, "account/sessions", null, "api"),
            (HttpMethod.Delete, $"account/sessions/{Guid.CreateVersion7()}", null, "api"),
        })
        {
            async Task<int> LeftAsync()
            {
                using var answer = await one.CallAsync(method, $"/api/v1/{path}", body, "203.0.113.77", token);
                var of = answer.Header("RateLimit").Split(", ").Single(item => item.StartsWith($"\"{policy}\"", StringComparison.Ordinal));
                return int.Parse(of.Split(";r=")[1].Split(';')[0], CultureInfo.InvariantCulture);
            }

            var first = await LeftAsync();
            Assert.True(first - 1 == await LeftAsync(), $"{method} {path} is not counted");
        }
    }

    [Theory]
    [Trait("Promise", "P37")]
    [MemberData(nameof(RedisServer.Kinds), MemberType = typeof(RedisServer))]
    public async Task ARedisThatDiesTenTimesWithinOneWindowDoublesNoMoreThanTheInstances(string kind)
    {
        const int Permits = 50;
        await using var redis = await RedisServer.StartAsync(kind);
        (string, string)[] settings = [("RateLimits:AddressPermits", $"{Permits}"), ("RateLimits:MailPermits", "0"), ("Redis:Patience", "00:00:00.100")];
        HttpClient[] instances = [_room.StartApi(redis.ConnectionString, settings).CreateClient(), _room.StartApi(redis.ConnectionString, settings).CreateClient()];
        using var end = new CancellationTokenSource();
        var statuses = new System.Collections.Concurrent.ConcurrentQueue<HttpStatusCode>();
        var load = Enumerable.Range(0, 8).Select(async n =>
        {
            while (!end.IsCancellationRequested)
            {
                using var answer = await instances[n % 2].ForgotAsync("ada@example.com");
                statuses.Enqueue(answer.StatusCode);
            }
        }).ToList();
        for (var death = 0; death < 10; death++)
        {
            var before = statuses.Count;
            await Wait.UntilAsync("load", TimeSpan.FromSeconds(20), () => Task.FromResult(statuses.Count > before + 100 ? "" : null));
            await redis.KillAsync();
            before = statuses.Count;
            await Wait.UntilAsync("load without Redis", TimeSpan.FromSeconds(20), () => Task.FromResult(statuses.Count > before + 100 ? "" : null));
            await redis.StartAsync();
        }

        await end.CancelAsync();
        await Task.WhenAll(load);
        var counts = statuses.CountBy(status => status).ToDictionary();
        Assert.InRange(counts[HttpStatusCode.Accepted], Permits, 2 * Permits);

        // And together again: of another address both admit what one would.
        foreach (var instance in instances)
        {
            await Degraded.Conditions.UntilRedisAsync(instance, "healthy");
        }

        await Wait.UntilAsync("an address of which both admit what one would", TimeSpan.FromSeconds(30), async () =>
        {
            var email = $"{Guid.CreateVersion7():N}@example.com";
            var together = await Task.WhenAll(Enumerable.Range(0, 2 * Permits).Select(n => instances[n % 2].ForgotAsync(email)));
            return together.Count(answer => answer.StatusCode == HttpStatusCode.Accepted) == Permits ? "" : null;
        });
        Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.TooManyRequests], counts.Keys.Order());
    }

    /// <summary>Two instances that have connected to Redis, as after their first second.</summary>
    private async Task<(HttpClient One, HttpClient Other)> PairAsync(RedisServer redis)
    {
        var pair = (_room.StartApi(redis.ConnectionString).CreateClient(), _room.StartApi(redis.ConnectionString).CreateClient());
        await Degraded.Conditions.UntilRedisAsync(pair.Item1, "healthy");
        await Degraded.Conditions.UntilRedisAsync(pair.Item2, "healthy");
        return pair;
    }

    private static async Task<string> SignInAsync(HttpClient api, string email) => (await Person.TokensAsync(await api.LoginAsync(email))).Access;
}
