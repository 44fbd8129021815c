using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Admin;

/// <summary>Operators find mails, see what the relay said, send them again and take them back.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AdminMailTests(RunningAriya ariya)
{
    [Fact]
    public async Task ADeadMailIsSentAgainAsANewOne()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var dead = await ariya.MailAsync(person.Email, "dead");
        var requeued = await Operator.ReadAsync(await admin.SendAsync(HttpMethod.Post, $"mails/{dead}/requeue"), HttpStatusCode.Accepted);
        var mail = await person.MailAsync("Choose a new password");
        Assert.NotEmpty(mail.Token);
        using var reset = await person.PostAsync("/api/v1/auth/reset-password", new { token = mail.Token, password = "another sentence of hers" });
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        Assert.Equal("dead", await ariya.MailStateAsync(dead));

        var shown = (await admin.GetAsync($"mails/{requeued["id"]}"))["mail"]!;
        Assert.Equal((dead.ToString(), person.Email), ((string?)shown["requeueOf"], (string?)shown["recipient"]));
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            """
            select count(*) from outbox_messages n join outbox_messages o on o.id = $1
            where n.id = $2 and n.salt <> o.salt and n.mail_id <> o.mail_id and n.deliver_before > clock_timestamp() + interval '23 hours'
            """, dead, Guid.Parse((string)requeued["id"]!)));
        Assert.Equal(1, await admin.AuditedAsync("admin.mail_requeued", await ariya.AccountIdAsync(person)));
    }

    [Fact]
    public async Task OfTwoWhoRequeueOneSucceeds()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = new Person(ariya);
        // Nobody has this kind: no worker takes the new one from the hands of the test.
        var dead = await ariya.MailAsync(person.Email, "dead", "mail.of-a-test.v1");
        await using var locked = await RowLock.TakeAsync(ariya, "select 1 from outbox_messages where id = $1 for update", dead);
        var both = new[] { ariya.Api, ariya.OtherApi }.Select(api => admin.SendAsync(HttpMethod.Post, $"mails/{dead}/requeue", api: api)).ToList();
        await locked.WaitersAsync(2);
        await locked.ReleaseAsync();
        var answers = await Task.WhenAll(both);
        Assert.Equal([HttpStatusCode.Accepted, HttpStatusCode.Conflict], answers.Select(answer => answer.StatusCode).Order());
        Assert.Equal("newer_mail_pending",
            await Person.CodeAsync(answers.Single(answer => answer.StatusCode == HttpStatusCode.Conflict), HttpStatusCode.Conflict));
        Assert.Equal(2, await ariya.ScalarAsync<long>("select count(*) from outbox_messages where recipient = $1", person.Email));
    }

    [Theory]
    [InlineData("pending")]
    [InlineData("retry")]
    [InlineData("leased")]
    [InlineData("sent")]
    [InlineData("dropped")]
    [InlineData("superseded")]
    [InlineData("held")]
    public async Task OnlyWhatIsDeadOrLateIsSentAgain(string state)
    {
        var admin = await Operator.SignInAsync(ariya);
        var mail = await ariya.MailAsync(new Person(ariya).Email, state);
        using var answer = await admin.SendAsync(HttpMethod.Post, $"mails/{mail}/requeue");
        Assert.Equal("state_conflict", await Person.CodeAsync(answer, HttpStatusCode.Conflict));
        Assert.Equal(state, await ariya.MailStateAsync(mail));
    }

    [Theory]
    [InlineData("pending", true)]
    [InlineData("retry", true)]
    [InlineData("held", true)]
    [InlineData("leased", false)]
    [InlineData("sent", false)]
    [InlineData("dead", false)]
    public async Task WhatWaitsIsTakenBack(string state, bool isTakenBack)
    {
        var admin = await Operator.SignInAsync(ariya);
        var mail = await ariya.MailAsync(new Person(ariya).Email, state);
        using var answer = await admin.SendAsync(HttpMethod.Post, $"mails/{mail}/cancel");
        Assert.Equal(isTakenBack ? HttpStatusCode.NoContent : HttpStatusCode.Conflict, answer.StatusCode);
        Assert.Equal(isTakenBack ? "dropped" : state, await ariya.MailStateAsync(mail));
        using var again = await admin.SendAsync(HttpMethod.Post, $"mails/{mail}/cancel");
        Assert.Equal(answer.StatusCode, again.StatusCode);
        Assert.Equal(isTakenBack ? 1 : 0, await ariya.ScalarAsync<long>(
            "select count(*) from audit_events where kind = 'admin.mail_cancelled' and strpos(detail, $1) > 0", mail.ToString()));
    }

    [Theory]
    [InlineData("mail.password-changed.v1")]
    [InlineData("mail.email-changed.v1")]
    [InlineData("mail.admin-granted.v1")]
    public async Task WhatTellsAnOwnerIsNobodysToTakeBack(string kind)
    {
        var admin = await Operator.SignInAsync(ariya);
        var mail = await ariya.MailAsync(new Person(ariya).Email, "retry", kind);
        using var answer = await admin.SendAsync(HttpMethod.Post, $"mails/{mail}/cancel");
        Assert.Equal("state_conflict", await Person.CodeAsync(answer, HttpStatusCode.Conflict));
        Assert.Equal("retry", await ariya.MailStateAsync(mail));
    }

    [Fact]
    public async Task AWorkerThatClaimsWhileItIsTakenBackKeepsIt()
    {
        var admin = await Operator.SignInAsync(ariya);
        var mail = await ariya.MailAsync(new Person(ariya).Email, "pending");
        // A claim that is not committed yet: the request waits for it and finds another state than it read.
        await using var claim = await RowLock.TakeAsync(ariya,
            "update outbox_messages set state = 'leased', lease_owner = gen_random_uuid() where id = $1", mail);
        var cancel = admin.SendAsync(HttpMethod.Post, $"mails/{mail}/cancel");
        await claim.WaitersAsync(1);
        await claim.ReleaseAsync();
        Assert.Equal("state_conflict", await Person.CodeAsync(await cancel, HttpStatusCode.Conflict));
        Assert.Equal("leased", await ariya.MailStateAsync(mail));
    }

    [Fact]
    public async Task MailsAreFoundAndPagesGoOnWhateverComesMeanwhile()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        await person.MailAsync("Welcome");
        var account = await ariya.AccountIdAsync(person);
        for (var i = 0; i < 5; i++)
        {
            await ariya.MailAsync(person.Email, i % 2 == 0 ? "dead" : "sent", "mail.of-a-test.v1");
        }

        foreach (var whom in new[] { $"recipient={person.Email.ToUpperInvariant()}", $"account={account}" })
        {
            Assert.Equal(7, (await admin.GetAsync($"mails?{whom}"))["mails"]!.AsArray().Count);
            Assert.Equal(3, (await admin.GetAsync($"mails?{whom}&state=dead"))["mails"]!.AsArray().Count);
            Assert.Single((await admin.GetAsync($"mails?{whom}&kind=mail.welcome.v1"))["mails"]!.AsArray());
            Assert.Empty((await admin.GetAsync($"mails?{whom}&to=2026-01-01T00:00:00Z"))["mails"]!.AsArray());
        }

        // All of one kind, without an address: by id.
        var from = Uri.EscapeDataString((await ariya.ScalarAsync<DateTime>("select clock_timestamp()")).AddMinutes(-30).ToString("O"));
        Assert.True((await admin.GetAsync($"mails?kind=mail.of-a-test.v1&state=dead&from={from}"))["mails"]!.AsArray().Count >= 3);
        foreach (var whom in new[] { $"recipient={person.Email}", "kind=mail.of-a-test.v1" })
        {
            var first = await admin.GetAsync($"mails?{whom}&limit=2");
            await ariya.MailAsync(person.Email, "sent", "mail.of-a-test.v1");
            await ariya.SqlAsync("update outbox_messages set created_at = clock_timestamp() where id = (select max(id::text)::uuid from outbox_messages where recipient = $1)", person.Email);
            var second = await admin.GetAsync($"mails?{whom}&limit=2&cursor={first["next"]}");
            var ids = first["mails"]!.AsArray().Concat(second["mails"]!.AsArray()).Select(mail => (string?)mail!["id"]).ToList();
            Assert.Equal((4, 4), (ids.Count, ids.Distinct().Count()));
        }

        Assert.True(await admin.AuditedAsync("admin.mail_searched", account) >= 4);
    }

    [Fact]
    public async Task EveryTryIsShown()
    {
        var admin = await Operator.SignInAsync(ariya);
        var mail = await ariya.MailAsync(new Person(ariya).Email, "dead");
        await ariya.SqlAsync(
            """
            insert into outbox_attempts (id, message_id, attempt, stage, reply, duration_ms)
            values (gen_random_uuid(), $1, 1, 'rcpt', '451 4.3.0 try later', 12), (gen_random_uuid(), $1, 2, 'after-dot', '554 5.7.1 no', 34)
            """, mail);
        var attempts = (await admin.GetAsync($"mails/{mail}"))["attempts"]!.AsArray();
        Assert.Equal(["rcpt 451 4.3.0 try later 12", "after-dot 554 5.7.1 no 34"], attempts.Select(one => $"{one!["stage"]} {one["reply"]} {one["durationMs"]}"));
    }

    [Fact]
    public async Task NoSecretIsInAnyAnswer()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        await ariya.SqlAsync("update accounts set password_hash = '$planted$hash$' where id = $1", id);
        var mail = await ariya.MailAsync(person.Email, "dead", payload: $$"""{"accountId":"{{id}}","token":"planted token","link":"https://planted.example/"}""");
        await ariya.SqlAsync(
            """
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            values ($1, 'reset_password', $2, $3, 'planted hash', 'planted salt', 'planted key', clock_timestamp() + interval '1 hour')
            """, mail, id, person.Email);
        await ariya.SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, rotation_key, user_agent, network, idle_expires_at, expires_at)
            select gen_random_uuid(), id, auth_epoch, 'planted nonce', 'planted rotation', 'Firefox', '192.0.2.0/24', clock_timestamp() + interval '1 day',
                   clock_timestamp() + interval '1 day' from accounts where id = $1
            """, id);
        var answers = new List<string>();
        foreach (var path in new[]
        {
            $"accounts?id={id}", $"accounts/{id}", $"accounts/{id}/sign-in-obstacles", $"sign-in-obstacles?email={person.Email}", $"mails?recipient={person.Email}",
            $"mails/{mail}", $"audit?account={id}", "cleanup",
        })
        {
            answers.Add((await admin.GetAsync(path)).ToJsonString());
        }

        answers.Add((await Operator.ReadAsync(await admin.SendAsync(HttpMethod.Post, $"mails/{mail}/requeue"), HttpStatusCode.Accepted)).ToJsonString());
        var all = string.Join('\n', answers);
        Assert.Contains(mail.ToString(), all, StringComparison.Ordinal);
        Assert.DoesNotContain("planted", all, StringComparison.OrdinalIgnoreCase);
        foreach (var bytes in new[] { "planted salt", "planted hash", "planted nonce", "planted rotation" })
        {
            Assert.DoesNotContain(Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes(bytes)), all, StringComparison.Ordinal);
            Assert.DoesNotContain(Convert.ToHexString(System.Text.Encoding.UTF8.GetBytes(bytes)), all, StringComparison.OrdinalIgnoreCase);
        }
    }
}
