using Ariya.Data.Outbox;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>Who is told what, and how often.</summary>
public sealed class NoticeTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private const string Address = "grace@example.com";

    [Fact]
    [Trait("Promise", "P07")]
    public async Task TheOwnerOfATakenAddressIsToldOnceADay()
    {
        await AccountAsync(Address, "Grace", "Hopper");
        var worker = Worker();
        await RegistrationMailAsync(Address);
        await RegistrationMailAsync(Address);
        Assert.Equal(2, await worker.RunOnceAsync());
        Assert.Single(Relay.Accepted);
        Assert.Equal("You already have an account", Mail(Address).Subject);
        Assert.Equal("", Mail(Address).Link);

        await SqlAsync("update accounts set taken_notice_at = clock_timestamp() - interval '23 hours 59 minutes'");
        var tooSoon = await RegistrationMailAsync(Address);
        await worker.RunOnceAsync();
        Assert.Equal("dropped", (await RowAsync(tooSoon)).State);
        await SqlAsync("update accounts set taken_notice_at = clock_timestamp() - interval '24 hours 1 second'");
        await RegistrationMailAsync(Address);
        await worker.RunOnceAsync();
        Assert.Equal(2, Relay.Accepted.Count);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens"));
    }

    [Fact]
    public async Task ANoticeThatWasDeferredIsStillSent()
    {
        await AccountAsync(Address);
        Relay.Script = RelayScript.At(".", "451 4.3.0 try later");
        var worker = Worker();
        var id = await RegistrationMailAsync(Address);
        await worker.RunOnceAsync();
        Relay.Script = new RelayScript();
        await RegistrationMailAsync(Address);
        await MakeDueAsync(id);
        Assert.Equal(2, await worker.RunOnceAsync());
        Assert.Equal("sent", (await RowAsync(id)).State);
        Assert.Single(Relay.Accepted);
    }

    [Fact]
    public async Task AnOldSignInIsToldOfThreeTimesADay()
    {
        var account = await AccountAsync(Address);
        var worker = Worker();
        var first = await OldSignInAsync(account);
        await worker.RunOnceAsync();
        Guid[] more = [await OldSignInAsync(account), await OldSignInAsync(account), await OldSignInAsync(account)];
        Assert.Equal(3, await worker.RunOnceAsync());
        Assert.Equal(3, Relay.Accepted.Count);
        Assert.Equal(["dropped", "sent", "sent"], (await Task.WhenAll(more.Select(RowAsync))).Select(row => row.State).Order());

        await SqlAsync("update outbox_messages set created_at = clock_timestamp() - interval '23 hours 59 minutes' where id = $1", first);
        await OldSignInAsync(account);
        await worker.RunOnceAsync();
        Assert.Equal(3, Relay.Accepted.Count);
        await SqlAsync("update outbox_messages set created_at = clock_timestamp() - interval '24 hours 1 second' where id = $1", first);
        await OldSignInAsync(account);
        await worker.RunOnceAsync();
        Assert.Equal(4, Relay.Accepted.Count);
    }

    [Fact]
    [Trait("Promise", "P14")]
    public async Task NobodyIsWrittenToWhoIsNotThere()
    {
        var disabled = await AccountAsync("disabled@example.com");
        await SqlAsync("update accounts set status = 'disabled' where id = $1", disabled);
        Guid[] rows =
        [
            await AddAsync(MailKinds.PasswordReset, "nobody@example.com"),
            await AddAsync(MailKinds.PasswordReset, "disabled@example.com"),
            await AddAsync(MailKinds.VerificationAgain, "nobody@example.com"),
            await AddAsync(MailKinds.Registration, "nobody@example.com", $$"""{"registrationId":"{{Guid.CreateVersion7()}}"}"""),
            await RegistrationMailAsync("disabled@example.com"),
            await AddAsync(MailKinds.Welcome, "nobody@example.com", $$"""{"accountId":"{{Guid.CreateVersion7()}}"}"""),
            await AddAsync(MailKinds.Welcome, "disabled@example.com", $$"""{"accountId":"{{disabled}}"}"""),
            await AddAsync(MailKinds.OldSignInUsed, "nobody@example.com", $$"""{"sessionId":"{{Guid.CreateVersion7()}}"}"""),
        ];
        Assert.Equal(rows.Length, await Worker().RunOnceAsync());
        Assert.All(await Task.WhenAll(rows.Select(RowAsync)), row => Assert.Equal(("dropped", 0), (row.State, row.Attempts)));
        Assert.Empty(Relay.Handed);
    }

    [Fact]
    public async Task MailGoesToTheStoredAddressWhateverTheRowSays()
    {
        var account = await AccountAsync(Address);
        await AddAsync(MailKinds.Welcome, "mallory@example.com", $$"""{"accountId":"{{account}}"}""");
        Assert.Equal(1, await Worker().RunOnceAsync());
        Assert.Equal(Address, Assert.Single(Relay.Accepted).Recipient);
    }

    [Fact]
    [Trait("Promise", "P49")]
    public async Task WhatAStrangerTypedIsTextAndNoLink()
    {
        await AddAsync(MailKinds.Registration, Address,
            $$"""{"registrationId":"{{await RegistrationAsync(Address, "<b>x</b>\"&' https://evil.example/win", "www.evil.example")}}"}""");
        Assert.Equal(1, await Worker().RunOnceAsync());
        var mail = Mail(Address);
        Assert.DoesNotContain("<b>", mail.Html, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;", mail.Html, StringComparison.Ordinal);
        Assert.DoesNotContain("evil.example", mail.Html + mail.Text, StringComparison.Ordinal);
        Assert.Equal($"<{Address}>", mail.Header("To"));
    }

    private async Task<Guid> OldSignInAsync(Guid account)
    {
        var session = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
            values ($1, $2, 1, '\x00', 'Mozilla/5.0 Firefox/140.0', '192.0.2.0/24', clock_timestamp(), clock_timestamp())
            """, session, account);
        return await AddAsync(MailKinds.OldSignInUsed, Address, $$"""{"accountId":"{{account}}","sessionId":"{{session}}"}""");
    }
}
