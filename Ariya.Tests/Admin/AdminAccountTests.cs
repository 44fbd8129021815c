using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;
using Ariya.Tests.Sessions;

namespace Ariya.Tests.Admin;

/// <summary>Operators find accounts, look at them, and disable and enable them.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AdminAccountTests(RunningAriya ariya)
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(2);

    [Fact]
    public async Task NobodyEnablesThemselves()
    {
        var admin = await Operator.SignInAsync(ariya);
        using var answer = await admin.SendAsync(HttpMethod.Post, $"accounts/{admin.Id}/enable");
        Assert.Equal("own_account", await Person.CodeAsync(answer, HttpStatusCode.Conflict));
    }

    [Fact]
    public async Task AfterACompromiseTheOldPasswordOpensNothingAndAMailedLinkDoes()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        (await admin.DisableAsync(id, "compromised")).EnsureSuccessStatusCode();
        (await admin.SendAsync(HttpMethod.Post, $"accounts/{id}/enable")).EnsureSuccessStatusCode();
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Unauthorized));
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        const string Chosen = "the next sentence nobody else types";
        Assert.Equal(HttpStatusCode.NoContent, (await person.PostAsync(
            "/api/v1/auth/reset-password", new { token = (await person.MailAsync("Choose a new password")).Token, password = Chosen })).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(Chosen)).StatusCode);
    }

    [Fact]
    public async Task ADisabledAccountIsSignedOutEverywhereWithinTwoSeconds()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        var tokens = await person.SignInAsync();
        // Warm on both instances: what they know of the session is in their memory.
        await WarmAsync(person, tokens);
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var link = (await person.MailAsync("Choose a new password")).Token;
        var waiting = await ariya.MailAsync(person.Email, "pending");
        var harmless = await ariya.MailAsync(person.Email, "pending", "mail.welcome.v1", $$"""{"accountId":"{{id}}"}""");

        using var disabled = await admin.DisableAsync(id, "abuse");
        Assert.Equal(HttpStatusCode.NoContent, disabled.StatusCode);
        await Wait.UntilAsync("the end of the session on both instances", s_bound, async () =>
        {
            using var here = await person.GetAccountAsync(tokens.Access);
            using var there = await person.GetAccountAsync(tokens.Access, ariya.OtherApi);
            return (here.StatusCode, there.StatusCode) == (HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized) ? "" : null;
        });
        using var refresh = await person.RefreshAsync(tokens.Refresh);
        Assert.Equal("session_ended", await Person.CodeAsync(refresh, HttpStatusCode.Unauthorized));
        using var login = await person.LoginAsync();
        Assert.Equal("account_disabled", await Person.CodeAsync(login, HttpStatusCode.Forbidden));
        using var wrong = await person.LoginAsync("not the sentence at all");
        Assert.Equal("invalid_credentials", await Person.CodeAsync(wrong, HttpStatusCode.Unauthorized));
        using var reset = await person.PostAsync("/api/v1/auth/reset-password", new { token = link, password = "another sentence of hers" });
        Assert.Equal(HttpStatusCode.BadRequest, reset.StatusCode);
        Assert.Equal(("dropped", "pending"), (await ariya.MailStateAsync(waiting), await ariya.MailStateAsync(harmless)));
        var notice = await person.MailAsync("Your account was disabled");
        Assert.Contains("It was used in a way that is not allowed.", notice.Text, StringComparison.Ordinal);
        Assert.Equal("account_disabled", await new SessionRow(ariya, tokens).GetAsync<string>("revoked_reason"));
        Assert.Equal(1, await admin.AuditedAsync("admin.account_disabled", id));

        // Again: as it is. And no second mail.
        using var again = await admin.DisableAsync(id, "abuse");
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        Assert.Equal(1, await admin.AuditedAsync("admin.account_disabled", id));
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            "select count(*) from outbox_messages where kind = 'mail.account-disabled.v1' and recipient = $1", person.Email));
    }

    [Fact]
    public async Task AnEnabledAccountSignsInAgainAndNothingOldWorks()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        var tokens = await person.SignInAsync();
        using var disabled = await admin.DisableAsync(id);
        // As if it had been minted while the account was being disabled.
        await ariya.SqlAsync(
            """
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            values (gen_random_uuid(), 'reset_password', $1, $2, uuid_send(gen_random_uuid()), '\x00', 'key', clock_timestamp() + interval '1 hour')
            """, id, person.Email);
        var epoch = await ariya.ScalarAsync<int>("select auth_epoch from accounts where id = $1", id);
        using var enabled = await admin.SendAsync(HttpMethod.Post, $"accounts/{id}/enable");
        Assert.Equal(HttpStatusCode.NoContent, enabled.StatusCode);
        Assert.Equal(epoch + 1, await ariya.ScalarAsync<int>("select auth_epoch from accounts where id = $1", id));
        using var old = await person.RefreshAsync(tokens.Refresh);
        Assert.Equal("session_ended", await Person.CodeAsync(old, HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from one_time_tokens where subject_id = $1 and consumed_at is null", id));
        await person.SignInAsync();
        using var again = await admin.SendAsync(HttpMethod.Post, $"accounts/{id}/enable");
        Assert.Equal(HttpStatusCode.NoContent, again.StatusCode);
        Assert.Equal(1, await admin.AuditedAsync("admin.account_enabled", id));
    }

    [Fact]
    public async Task ThereIsAlwaysALastAdmin()
    {
        var (one, other) = (await Operator.SignInAsync(ariya), await Operator.SignInAsync(ariya));
        using var himself = await one.DisableAsync(one.Id);
        Assert.Equal("own_account", await Person.CodeAsync(himself, HttpStatusCode.Conflict));

        // Both stand before the locks of both accounts: whoever comes second is no admin any more.
        await using (var locked = await RowLock.TakeAsync(ariya, "select 1 from accounts where id = any($1) for update", new[] { one.Id, other.Id }))
        {
            var both = new[] { one.DisableAsync(other.Id), other.DisableAsync(one.Id, api: ariya.OtherApi) };
            await locked.WaitersAsync(2);
            await locked.ReleaseAsync();
            var answers = await Task.WhenAll(both);
            Assert.Equal([HttpStatusCode.NoContent, HttpStatusCode.Forbidden], answers.Select(answer => answer.StatusCode).Order());
        }

        Assert.Equal(1, await ariya.ScalarAsync<long>("select count(*) from accounts where id = any($1) and status = 'active'", new[] { one.Id, other.Id }));
    }

    [Fact]
    public async Task AnAccountThatIsNotThereIsNotFoundAndAWrongReasonIsNamed()
    {
        var admin = await Operator.SignInAsync(ariya);
        var nobody = Guid.CreateVersion7();
        (HttpMethod, string, object?)[] requests =
        [
            (HttpMethod.Get, $"accounts/{nobody}", null), (HttpMethod.Post, $"accounts/{nobody}/disable", new { reason = "other" }),
            (HttpMethod.Post, $"accounts/{nobody}/enable", null), (HttpMethod.Delete, $"accounts/{nobody}/sessions", null),
            (HttpMethod.Get, $"accounts/{nobody}/sign-in-obstacles", null), (HttpMethod.Get, $"mails/{nobody}", null),
            (HttpMethod.Post, $"mails/{nobody}/requeue", null), (HttpMethod.Post, $"mails/{nobody}/cancel", null),
        ];
        foreach (var (method, path, body) in requests)
        {
            using var answer = await admin.SendAsync(method, path, body);
            Assert.Equal(("not_found", path), (await Person.CodeAsync(answer, HttpStatusCode.NotFound), path));
        }

        using var wrong = await admin.DisableAsync(nobody, "because");
        Assert.Equal("validation_failed", await Person.CodeAsync(wrong, HttpStatusCode.BadRequest));
        foreach (var (body, code) in new (object, string)[]
        {
            (new { }, "validation_failed"), (new { reason = "other", neverHeardOf = 1 }, "validation_failed"), (new { reason = 1 }, "validation_failed"),
            (new[] { "reason" }, "malformed_json"),
        })
        {
            using var answer = await admin.SendAsync(HttpMethod.Post, $"accounts/{nobody}/disable", body);
            Assert.Equal(code, await Person.CodeAsync(answer, HttpStatusCode.BadRequest));
        }

        foreach (var query in new[] { "accounts?limit=101", "accounts?cursor=1", "accounts?email=a@example.com&id=b", "mails?state=lost", "mails?from=yesterday", "audit?account=1",
            "sign-in-obstacles", "accounts?emailPrefix=%00" })
        {
            using var answer = await admin.SendAsync(HttpMethod.Get, query);
            Assert.Equal(("validation_failed", query), (await Person.CodeAsync(answer, HttpStatusCode.BadRequest), query));
        }
    }

    [Fact]
    public async Task SessionsAreEndedAndThePasswordStaysGood()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        await person.SignInAsync();
        await person.SignInAsync();
        var id = await ariya.AccountIdAsync(person);
        using var ended = await admin.SendAsync(HttpMethod.Delete, $"accounts/{id}/sessions");
        Assert.Equal(HttpStatusCode.NoContent, ended.StatusCode);
        Assert.Equal(0, await ariya.LiveSessionsAsync(person));
        Assert.Equal(1, await admin.AuditedAsync("admin.sessions_ended", id));
        await person.SignInAsync();
    }

    [Fact]
    public async Task ARepeatedRequestIsDoneOnce()
    {
        var admin = await Operator.SignInAsync(ariya);
        var ids = new List<Guid>();
        for (var i = 0; i < 2; i++)
        {
            ids.Add(await ariya.AccountIdAsync(await Person.WithAccountAsync(ariya)));
        }

        var key = Guid.CreateVersion7().ToString();
        using var first = await admin.SendAsync(HttpMethod.Post, $"accounts/{ids[0]}/disable", new { reason = "abuse" }, idempotencyKey: key);
        using var repeat = await admin.SendAsync(HttpMethod.Post, $"accounts/{ids[0]}/disable", new { reason = "abuse" }, ariya.OtherApi, key);
        Assert.Equal((HttpStatusCode.NoContent, HttpStatusCode.NoContent), (first.StatusCode, repeat.StatusCode));
        Assert.True(repeat.Headers.Contains("Idempotent-Replayed"));
        // The same key, and another account in the path.
        using var other = await admin.SendAsync(HttpMethod.Post, $"accounts/{ids[1]}/disable", new { reason = "abuse" }, idempotencyKey: key);
        Assert.Equal("idempotency_key_reused", await Person.CodeAsync(other, HttpStatusCode.UnprocessableEntity));
    }

    [Fact]
    public async Task AccountsAreFoundByAddressBeginningIdAndStatus()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        foreach (var query in new[] { $"email={person.Email.ToUpperInvariant()}", $"emailPrefix={person.Email[..30].ToUpperInvariant()}", $"id={id}", $"id={id}&status=active" })
        {
            var found = Assert.Single((await admin.GetAsync($"accounts?{query}"))["accounts"]!.AsArray())!;
            Assert.Equal((id.ToString(), person.Email, "active"), ((string?)found["id"], (string?)found["email"], (string?)found["status"]));
        }

        Assert.Empty((await admin.GetAsync($"accounts?id={id}&status=disabled"))["accounts"]!.AsArray());
        Assert.Empty((await admin.GetAsync("accounts?emailPrefix=%25"))["accounts"]!.AsArray());
        Assert.Equal(6, await admin.AuditedAsync("admin.accounts_searched"));
        // Neither the address nor how it begins is in the audit, but the key that other events of the address have.
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from audit_events where strpos(lower(detail), $1) > 0", person.Email[..30]));
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            """
            select count(*) from audit_events e where e.kind = 'admin.accounts_searched' and e.address_key =
              (select x.address_key from audit_events x where x.kind = 'registration.requested' and x.address_key = e.address_key limit 1)
              and starts_with(e.detail, $1)
            """, $"by {admin.Id}"));
    }

    [Fact]
    public async Task PagesGoOnWhateverComesMeanwhile()
    {
        var admin = await Operator.SignInAsync(ariya);
        var prefix = $"p{Guid.CreateVersion7():N}";
        await AddAccountsAsync(prefix, 1, 7);
        var seen = new List<string>();
        var last = 7;
        string? next = null;
        do
        {
            var page = await admin.GetAsync($"accounts?emailPrefix={prefix}&limit=3{(next is null ? "" : $"&cursor={next}")}");
            seen.AddRange(page["accounts"]!.AsArray().Select(account => (string)account!["email"]!));
            next = (string?)page["next"];
            if (last < 9)
            {
                // Before where the reader is, and behind.
                await AddAccountsAsync($"{prefix}-0", last, last);
                last++;
                await AddAccountsAsync(prefix, last, last);
            }
        }
        while (next is not null);
        Assert.Equal(Enumerable.Range(1, 9).Select(n => $"{prefix}-{n}@example.com"), seen);

        // The newest first, and those that come meanwhile are before the first page.
        var first = await admin.GetAsync("accounts?limit=2");
        await AddAccountsAsync($"{prefix}x", 1, 3);
        var second = await admin.GetAsync($"accounts?limit=2&cursor={first["next"]}");
        Assert.DoesNotContain(second["accounts"]!.AsArray(), account => ((string)account!["email"]!).StartsWith($"{prefix}x", StringComparison.Ordinal));
        Assert.Empty(IdsOf(first).Intersect(IdsOf(second)));
    }

    [Fact]
    public async Task OneAccountIsShownWithWhatAnOperatorNeeds()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = "198.51.100.77";
        var id = await ariya.AccountIdAsync(person);
        var tokens = await person.SignInAsync();
        using var wrong = await person.LoginAsync("not the sentence at all");
        var account = await admin.GetAsync($"accounts/{id}");
        Assert.Equal((person.Email, "active", "Grace"), ((string?)account["email"], (string?)account["status"], (string?)account["firstName"]));
        var session = Assert.Single(account["sessions"]!.AsArray())!;
        Assert.Equal((new SessionRow(ariya, tokens).Id.ToString(), "198.51.100.0/24"), ((string?)session["id"], (string?)session["network"]));
        Assert.Equal((string?)session["createdAt"], (string?)account["lastSignInAt"]);
        Assert.Contains(account["mails"]!.AsArray(), mail => (string?)mail!["kind"] == "mail.welcome.v1");
        Assert.Contains(account["wrongPasswords"]!.AsArray(), counter => ((string?)counter!["of"], (int)counter["failures"]!) == ("password", 1));
        Assert.Equal(1, await admin.AuditedAsync("admin.account_read", id));
        Assert.DoesNotContain("198.51.100.77", account.ToJsonString(), StringComparison.Ordinal);
    }

    private static IEnumerable<string> IdsOf(JsonNode page) => page["accounts"]!.AsArray().Select(account => (string)account!["id"]!);

    private async Task WarmAsync(Person person, Tokens tokens)
    {
        foreach (var api in new[] { ariya.Api, ariya.OtherApi })
        {
            using var answer = await person.GetAccountAsync(tokens.Access, api);
            Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        }
    }

    private Task<int> AddAccountsAsync(string prefix, int from, int to) => ariya.SqlAsync(
        """
        insert into accounts (id, email, email_canonical, first_name, last_name, password_hash)
        select uuidv7(), $1 || '-' || n || '@example.com', $1 || '-' || n || '@example.com', 'Grace', 'Hopper', 'none' from generate_series($2::int, $3::int) n
        """, prefix, from, to);
}
