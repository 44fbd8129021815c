using System.Buffers.Text;
using System.Text;
using Ariya.Data.Outbox;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail;
using Ariya.Worker.Outbox;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>What a link can do, from the row that asks for it to the copies that carry it.</summary>
public sealed class MailedTokenTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private const string Address = "grace@example.com";

    [Fact]
    [Trait("Promise", "P48")]
    public async Task ACopyAfterACrashIsTheSameMail()
    {
        await RegistrationMailAsync(Address);
        var crashed = Worker();
        var batch = await crashed.TakeTurnAsync(new OutboxTurn { Claim = 10 });
        var prepared = Assert.Single(await crashed.PrepareAsync(batch));
        await using (var transport = RelayClient.Create(isMailKit: false, Relay))
        {
            Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(prepared.Mail!, CancellationToken.None)).Outcome);
        }

        await MakeDueAsync(batch[0].Id);
        // The secret was changed meanwhile: the link is the one that was mailed all the same.
        Assert.Equal(1, await Worker(settings => settings.Keys = WorkerSettings.LaterSecrets).RunOnceAsync());

        var copies = Relay.Accepted.Select(mail => ReceivedMail.Parse(mail.Content)).ToList();
        Assert.Equal(2, copies.Count);
        Assert.Single(copies.Select(copy => copy.MessageId.Split('@')[0]).Distinct());
        Assert.Single(copies.Select(copy => copy.Text).Distinct());
        Assert.True(await WorksAsync(copies[0].Token));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from one_time_tokens"));
    }

    [Fact]
    [Trait("Promise", "P51")]
    public async Task NoTokenCanBeReadInTheDatabase()
    {
        await RegistrationMailAsync(Address);
        await AccountAsync("ada@example.com");
        await AddAsync(MailKinds.PasswordReset, "ada@example.com");
        Assert.Equal(2, await Worker().RunOnceAsync());

        var everything = await EverythingAsync();
        Assert.Contains(Address, everything, StringComparison.Ordinal);
        foreach (var mail in new[] { Mail(Address), Mail("ada@example.com") })
        {
            Assert.True(await WorksAsync(mail.Token));
            Assert.DoesNotContain(mail.Token, everything, StringComparison.Ordinal);
            Assert.DoesNotContain(Convert.ToHexStringLower(Base64Url.DecodeFromChars(mail.Token)), everything, StringComparison.Ordinal);
            Assert.DoesNotContain(Convert.ToHexStringLower(Encoding.ASCII.GetBytes(mail.Token)), everything, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Promise", "P11")]
    public async Task TheLinkAgainIsAnotherAndTheFirstStaysGood()
    {
        await RegistrationMailAsync(Address);
        var worker = Worker();
        await worker.RunOnceAsync();
        var first = Mail(Address);
        await AddAsync(MailKinds.VerificationAgain, Address);
        await worker.RunOnceAsync();
        var second = Mail(Address);

        Assert.NotEqual(first.Token, second.Token);
        Assert.NotEqual(first.MessageId, second.MessageId);
        Assert.True(await WorksAsync(first.Token));
        Assert.True(await WorksAsync(second.Token));
    }

    [Fact]
    public async Task AnotherTryIsAboutTheRegistrationThatTheFirstOneWasAbout()
    {
        var first = await RegistrationAsync(Address);
        Relay.Script = RelayScript.At(".", "451 4.3.0 try later");
        var worker = Worker();
        var again = await AddAsync(MailKinds.VerificationAgain, Address);
        await worker.RunOnceAsync();
        await RegistrationAsync(Address, "Mallory");
        Relay.Script = new RelayScript();
        await MakeDueAsync(again);
        Assert.Equal(1, await worker.RunOnceAsync());

        var copies = Relay.Handed.Select(mail => ReceivedMail.Parse(mail.Content).Text).Distinct();
        Assert.Contains("Grace", Assert.Single(copies), StringComparison.Ordinal);
        Assert.Equal(first, await ScalarAsync<Guid>("select subject_id from one_time_tokens"));
        Assert.True(await WorksAsync(Mail(Address).Token));
    }

    [Fact]
    public async Task TheLinkAgainNeedsALiveRegistration()
    {
        var worker = Worker();
        var unknown = await AddAsync(MailKinds.VerificationAgain, "nobody@example.com");
        await RegistrationAsync(Address);
        await SqlAsync("update registrations set expires_at = clock_timestamp() - interval '1 second'");
        var ended = await AddAsync(MailKinds.VerificationAgain, Address);
        Assert.Equal(2, await worker.RunOnceAsync());
        Assert.Equal(("dropped", "dropped"), ((await RowAsync(unknown)).State, (await RowAsync(ended)).State));
        Assert.Empty(Relay.Handed);

        await SqlAsync("update registrations set expires_at = clock_timestamp() + interval '1 minute'");
        await AddAsync(MailKinds.VerificationAgain, Address);
        Assert.Equal(1, await worker.RunOnceAsync());
        Assert.True(await WorksAsync(Mail(Address).Token));
    }

    [Fact]
    [Trait("Promise", "P17")]
    public async Task AResetLinkDiesWhenALaterOneIsMintedAndNotBefore()
    {
        await AccountAsync(Address);
        var worker = Worker();
        await AddAsync(MailKinds.PasswordReset, Address);
        await worker.RunOnceAsync();
        var first = Mail(Address).Token;

        await AddAsync(MailKinds.PasswordReset, Address);
        Assert.True(await WorksAsync(first));
        await worker.RunOnceAsync();
        var second = Mail(Address).Token;
        Assert.False(await WorksAsync(first));
        Assert.True(await WorksAsync(second));
    }

    [Fact]
    public async Task TwoRequestsInOneBatchAreOneMailOfTheLater()
    {
        await AccountAsync(Address);
        var first = await AddAsync(MailKinds.PasswordReset, Address);
        var second = await AddAsync(MailKinds.PasswordReset, Address);
        Assert.Equal(2, await Worker().RunOnceAsync());

        Assert.Equal(("superseded", "sent"), ((await RowAsync(first)).State, (await RowAsync(second)).State));
        Assert.Single(Relay.Accepted);
        Assert.True(await WorksAsync(Mail(Address).Token));
    }

    [Fact]
    [Trait("Promise", "P17")]
    public async Task AnEarlierRequestThatComesBackLaterDoesNotReplaceTheNewerLink()
    {
        await AccountAsync(Address);
        Relay.Script = RelayScript.At(".", "451 4.3.0 try later");
        var worker = Worker();
        var first = await AddAsync(MailKinds.PasswordReset, Address);
        await worker.RunOnceAsync();
        Relay.Script = new RelayScript();
        await AddAsync(MailKinds.PasswordReset, Address);
        await worker.RunOnceAsync();
        var newer = Mail(Address).Token;
        await MakeDueAsync(first);
        Assert.Equal(1, await worker.RunOnceAsync());

        Assert.Equal("superseded", (await RowAsync(first)).State);
        Assert.True(await WorksAsync(newer));
        Assert.Single(Relay.Accepted);
    }

    [Fact]
    public async Task ARequestFromBeforeTheLastChangeOfThePasswordGetsNoLink()
    {
        var account = await AccountAsync(Address);
        var request = await AddAsync(MailKinds.PasswordReset, Address);
        await SqlAsync("update accounts set password_changed_at = clock_timestamp() where id = $1", account);
        Assert.Equal(1, await Worker().RunOnceAsync());
        Assert.Equal("superseded", (await RowAsync(request)).State);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens"));
        Assert.Empty(Relay.Handed);
    }

    private async Task<string> EverythingAsync()
    {
        var everything = "";
        var tables = await ScalarAsync<string[]>("select array_agg(tablename::text) from pg_tables where schemaname = 'public'");
        foreach (var table in tables!)
        {
            everything += await ScalarAsync<string>($"select string_agg(t::text, ' ') from \"{table}\" t");
        }

        return everything;
    }
}
