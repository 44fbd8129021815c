using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Diagnostics.Metrics;
using System.Globalization;
using System.Net;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Ariya.Api.Limits;
using Ariya.Api.Passwords;
using Ariya.Data.Tokens;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Microsoft.AspNetCore.Routing;
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
            Assert.Equal(n, LimitFields.Of(admitted).Left["auth"].Left);
            Assert.Equal(("5", $"{n}"), (admitted.Header("X-RateLimit-Limit"), admitted.Header("X-RateLimit-Remaining")));
        }

        using var refused = await one.LoginAsync(email, "203.0.113.8");
        Assert.Equal("rate_limited", await Person.CodeAsync(refused, HttpStatusCode.TooManyRequests));
        var problem = JsonNode.Parse(await refused.Content.ReadAsStringAsync())!;
        Assert.Equal(["auth"], problem["violated-policies"]!.AsArray().Select(policy => (string?)policy));
        var fields = LimitFields.Of(refused);
        Assert.Equal(
            [
                ("auth", (5, 900)), ("auth-total", (300, 900)), ("network", (100, 900)), ("network-day", (500, 86400)), ("wide-network", (1000, 900)),
                ("wide-network-day", (5000, 86400)),
            ],
            fields.Policies.Select(policy => (policy.Key, policy.Value)));
        var retryAfter = refused.Headers.RetryAfter!.Delta!.Value;
        Assert.InRange(retryAfter, TimeSpan.FromSeconds(880), TimeSpan.FromSeconds(901));
        Assert.Equal((0, (long)retryAfter.TotalSeconds), fields.Left["auth"]);
        var reset = DateTimeOffset.FromUnixTimeSeconds(long.Parse(refused.Header("X-RateLimit-Reset"), CultureInfo.InvariantCulture));
        Assert.InRange(reset - TimeProvider.System.GetUtcNow(), TimeSpan.FromSeconds(870), TimeSpan.FromSeconds(902));
        // What neighbours do in a wider network, and what others do at an address, is nobody's to read.
        Assert.Equal(["auth", "auth-total", "network", "network-day"], fields.Left.Keys);
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
        Assert.Equal(4, LimitFields.Of(again).Left["auth"].Left);
        // Eight failures before and one now: the success gave its own permit back and no other.
        Assert.Equal(91, LimitFields.Of(again).Left["network"].Left);
        using var ofSomebody = await one.LoginAsync(somebody, "203.0.113.9", "not the sentence at all");
        Assert.Equal(0, LimitFields.Of(ofSomebody).Left["auth"].Left);
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
            Assert.Equal(["mail"], LimitFields.Of(refused).Left.Keys);
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
            Assert.Equal([("mail", (10, 0))], LimitFields.Of(answer).Left.Select(left => (left.Key, left.Value)));
        });
        using var anonymous = await one.CallAsync(HttpMethod.Get, "/api/v1/account", from: "203.0.113.30");
        Assert.Equal(HttpStatusCode.Unauthorized, anonymous.StatusCode);
        Assert.Equal([("api", (100, 3600))], LimitFields.Of(anonymous).Policies.Select(policy => (policy.Key, policy.Value)));
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
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK, HttpStatusCode.Accepted), (account.StatusCode, refresh.StatusCode, forgot.StatusCode));

        // A reset with a link that is none, and with the one that was mailed.
        const string NewPassword = "another sentence nobody types";
        var token = await _room.AddResetLinkAsync(email);
        Task<HttpResponseMessage> ResetAsync(string link) =>
            one.CallAsync(HttpMethod.Post, "/api/v1/auth/reset-password", new { token = link, password = NewPassword }, "203.0.113.60");
        Assert.Equal("token_invalid", await Person.CodeAsync(await ResetAsync(new string('A', 43)), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.TooManyRequests, (await one.LoginAsync(email, "203.0.113.60")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await one.LoginAsync(email, "203.0.113.61", NewPassword)).StatusCode);
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
        Assert.Equal(99, LimitFields.Of(after).Left["api"].Left);
    }

    [Fact]
    [Trait("Promise", "P33")]
    public async Task EveryLimitedRouteAdmitsItsPermitsAndNotOneMore()
    {
        Dictionary<string, (int Permits, int Window)> limits = new()
        {
            ["auth"] = (2, 900),
            ["mail"] = (3, 60),
            ["refresh"] = (4, 300),
            ["api"] = (5, 3600),
            ["upload"] = (6, 3600),
            ["admin"] = (7, 900),
        };
        var host = _room.StartApi(server.Redis.ConnectionString,
            ("RateLimits:AuthPermits", "2"), ("RateLimits:MailPermits", "3"), ("RateLimits:RefreshPermits", "4"), ("RateLimits:ApiPermits", "5"), ("RateLimits:UploadPermits", "6"), ("RateLimits:AdminPermits", "7"));
        var api = host.CreateClient();
        await Degraded.Conditions.UntilRedisAsync(api, "healthy");
        var email = await _room.AddAccountAsync();
        var token = await SignInAsync(api, email);
        await _room.SqlAsync("update accounts set roles = '{admin}'");
        var unknown = new string('A', 43);
        var called = new HashSet<string>();
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
            (HttpMethod.Post, "auth/confirm-email-change", new { token = unknown, password = ServerRoom.Password }, "auth"),
            (HttpMethod.Post, "auth/undo-email-change", new { token = unknown, password = "another sentence nobody types" }, "auth"),
            (HttpMethod.Post, "account/email", new { email = "elsewhere@example.com", password = "not the sentence at all" }, "mail"),
            (HttpMethod.Get, "account", null, "api"),
            (HttpMethod.Patch, "account", new { firstName = "Augusta" }, "api"),
            (HttpMethod.Post, "account/password", new { currentPassword = "not the sentence at all", newPassword = "another sentence nobody types" }, "auth"),
            (HttpMethod.Post, "auth/login", new { email = "nobody@example.com", password = ServerRoom.Password }, "auth"),
            (HttpMethod.Put, "account/avatar", new { no = "picture" }, "upload"),
            (HttpMethod.Get, "account/avatar", null, "api"),
            (HttpMethod.Delete, "account/avatar", null, "api"),
            (HttpMethod.Get, "account/sessions", null, "api"),
            (HttpMethod.Delete, "account/sessions", null, "api"),
            (HttpMethod.Delete, "account/sessions/{id:guid}", null, "api"),
            (HttpMethod.Get, "admin/accounts", null, "admin"),
            (HttpMethod.Get, "admin/accounts/{id:guid}", null, "admin"),
            (HttpMethod.Post, "admin/accounts/{id:guid}/disable", new { reason = "other" }, "admin"),
            (HttpMethod.Post, "admin/accounts/{id:guid}/enable", null, "admin"),
            (HttpMethod.Delete, "admin/accounts/{id:guid}/sessions", null, "admin"),
            (HttpMethod.Get, "admin/accounts/{id:guid}/sign-in-obstacles", null, "admin"),
            (HttpMethod.Get, "admin/sign-in-obstacles", null, "admin"),
            (HttpMethod.Get, "admin/mails", null, "admin"),
            (HttpMethod.Get, "admin/mails/{id:guid}", null, "admin"),
            (HttpMethod.Post, "admin/mails/{id:guid}/requeue", null, "admin"),
            (HttpMethod.Post, "admin/mails/{id:guid}/cancel", null, "admin"),
            (HttpMethod.Get, "admin/audit", null, "admin"),
            (HttpMethod.Get, "admin/cleanup", null, "admin"),
            (HttpMethod.Post, "admin/cleanup", null, "admin"),
            // Last: it would end what the others are called with, were the account no admin's.
            (HttpMethod.Delete, "account", new { password = ServerRoom.Password }, "auth"),
        })
        {
            called.Add($"{method} /api/v1/{path}");
            var (permits, window) = limits[policy];
            for (var left = permits - 1; left >= -1; left--)
            {
                using var answer = await api.CallAsync(
                    method, $"/api/v1/{path.Replace("{id:guid}", $"{Guid.CreateVersion7()}", StringComparison.Ordinal)}", body, "203.0.113.77", token);
                var fields = LimitFields.Of(answer);
                Assert.Equal((permits, window), fields.Policies[policy]);
                Assert.True(Math.Max(left, 0) == fields.Left[policy].Left, $"{method} {path}: {left} should be left, it says {fields.Left[policy]}");
                Assert.True(left < 0 == (answer.StatusCode == HttpStatusCode.TooManyRequests), $"{method} {path}: {answer.StatusCode} with {left} left");
                if (left < 0)
                {
                    await AssertRefusedAsync(answer, policy);
                    Assert.Equal(fields.Left[policy].Wait, answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
                }
            }
        }

        var limited = host.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
            .Where(endpoint => endpoint.Metadata.GetMetadata<Limited>() is not null)
            .Select(endpoint => $"{endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods[0]} {endpoint.RoutePattern.RawText!.TrimEnd('/')}");
        Assert.Equal(limited.Order(), called.Order());
    }

    [Fact]
    [Trait("Promise", "P33")]
    public async Task TheLimitsOfNetworksAndAddressesAdmitTheirPermitsAndNotOneMore()
    {
        var quarter = StartApi(("RateLimits:AuthTotalPermits", "4"), ("RateLimits:NetworkPermits", "7"), ("RateLimits:WideNetworkFactor", "2"), ("RateLimits:AddressPermits", "2"));
        var day = StartApi(("RateLimits:NetworkPermits", "0"), ("RateLimits:NetworkDayPermits", "3"), ("RateLimits:WideNetworkFactor", "2"));
        await Degraded.Conditions.UntilRedisAsync(quarter, "healthy");
        await Degraded.Conditions.UntilRedisAsync(day, "healthy");
        var email = await _room.AddAccountAsync();
        var links = 0;
        Task<HttpResponseMessage> Guess(HttpClient api, string from) => api.CallAsync(HttpMethod.Post, "/api/v1/auth/reset-password",
            new { token = Base64Url.EncodeToString(SHA256.HashData(BitConverter.GetBytes(++links))), password = "another sentence nobody types" }, from);

        await AdmitsAsync("auth-total", 4, 900, isShown: true, _ => quarter.LoginAsync(email, "203.0.113.101"));
        await AdmitsAsync("network", 7, 900, isShown: true, _ => Guess(quarter, "198.51.100.1"));
        // Seven of the network's fourteen are used.
        await AdmitsAsync("wide-network", 7, 900, isShown: false, n => Guess(quarter, n < 7 ? "198.51.100.2" : "198.51.100.3"));
        await AdmitsAsync("network-day", 3, 86400, isShown: true, _ => Guess(day, "198.51.101.1"));
        await AdmitsAsync("wide-network-day", 3, 86400, isShown: false, n => Guess(day, n < 3 ? "198.51.101.2" : "198.51.101.3"));
        await AdmitsAsync("address", 2, 3600, isShown: false, n => quarter.ForgotAsync(email, $"192.0.{n}.1"));

        HttpClient StartApi(params (string, string)[] settings) => _room.StartApi(server.Redis.ConnectionString, settings).CreateClient();

        async Task AdmitsAsync(string policy, int permits, int window, bool isShown, Func<int, Task<HttpResponseMessage>> request)
        {
            for (var n = 0; n < permits; n++)
            {
                using var admitted = await request(n);
                Assert.True(admitted.StatusCode != HttpStatusCode.TooManyRequests, $"{policy} refuses number {n + 1} of {permits}");
                Assert.Equal(window, LimitFields.Of(admitted).Policies[policy].Window);
            }

            using var refused = await request(permits);
            await AssertRefusedAsync(refused, policy);
            var (fields, wait) = (LimitFields.Of(refused), refused.Headers.RetryAfter!.Delta!.Value.TotalSeconds);
            Assert.Equal(isShown, fields.Left.ContainsKey(policy));
            // Of what others may have used up not even the second is told.
            Assert.Equal(isShown ? fields.Left[policy].Wait : window, wait);
        }
    }

    private static async Task AssertRefusedAsync(HttpResponseMessage answer, string policy)
    {
        Assert.Equal("rate_limited", await Person.CodeAsync(answer, HttpStatusCode.TooManyRequests));
        Assert.Equal([policy], JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["violated-policies"]!.AsArray().Select(name => (string?)name));
        Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1));
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
        var statuses = new ConcurrentQueue<HttpStatusCode>();
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

    [Fact]
    [Trait("Promise", "P37")]
    public async Task TheMetricSaysThatRedisIsAwayAndThatItIsBack()
    {
        await using var redis = await RedisServer.StartAsync(RedisServer.Garnet);
        var host = _room.StartApi(redis.ConnectionString, ("RateLimits:MailPermits", "0"), ("RateLimits:AddressPermits", "1000000"));
        var api = host.CreateClient();
        await Degraded.Conditions.UntilRedisAsync(api, "healthy");
        var counted = new ConcurrentDictionary<string, long>();
        using var listener = new MeterListener
        {
            InstrumentPublished = (instrument, all) =>
            {
                if (instrument.Name == "ariya.limits.requests" && instrument.Meter.Scope == host.Services.GetRequiredService<IMeterFactory>())
                {
                    all.EnableMeasurementEvents(instrument);
                }
            },
        };
        listener.SetMeasurementEventCallback<long>((_, value, tags, _) => counted.AddOrUpdate((string)tags[0].Value!, value, (_, before) => before + value));
        listener.Start();
        async Task<string> WhereAsync()
        {
            counted.Clear();
            using var answer = await api.ForgotAsync("ada@example.com");
            Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
            var (where, requests) = Assert.Single(counted);
            Assert.Equal(1, requests);
            return where;
        }

        Assert.Equal("redis", await WhereAsync());
        await redis.KillAsync();
        Assert.Equal("process", await WhereAsync());
        await redis.StartAsync();
        await Wait.UntilAsync("a request that is counted in Redis", TimeSpan.FromSeconds(10), async () => await WhereAsync() == "redis" ? "" : null);
        Assert.Equal("redis", await WhereAsync());
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
