using System.Buffers.Text;
using System.Net;
using System.Security.Cryptography;
using System.Text;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class VerificationTests(RunningAriya ariya)
{
    private const string ConfirmSubject = "Confirm your e-mail address";

    [Fact]
    [Trait("Promise", "P09")]
    public async Task TwentyPressesOfOneButtonMakeOneAccount()
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        var token = (await person.MailAsync(ConfirmSubject)).Token;
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => person.VerifyAsync(token)));
        var statuses = await Task.WhenAll(answers.Select(Person.StatusAsync));
        Assert.Single(statuses, "verified");
        Assert.Equal(19, statuses.Count(status => status == "already_verified"));

        Assert.Equal("already_verified", await Person.StatusAsync(await person.VerifyAsync(token)));
        Assert.Equal([ConfirmSubject, "Welcome"], (await person.AllMailsAsync()).Select(mail => mail.Subject));
        Assert.Equal(1, await ariya.AccountsAsync(person));
    }

    [Fact]
    [Trait("Promise", "P10")]
    public async Task ALinkWorksForTwentyFourHours()
    {
        var inTime = new Person(ariya);
        var tooLate = new Person(ariya);
        await inTime.RegisterAsync();
        await tooLate.RegisterAsync();
        var inTimeToken = (await inTime.MailAsync(ConfirmSubject)).Token;
        var tooLateToken = (await tooLate.MailAsync(ConfirmSubject)).Token;
        await ariya.MoveLinksBackAsync(inTime, TimeSpan.FromHours(24) - TimeSpan.FromSeconds(60));
        await ariya.MoveLinksBackAsync(tooLate, TimeSpan.FromHours(24) + TimeSpan.FromSeconds(1));

        Assert.Equal("verified", await Person.StatusAsync(await inTime.VerifyAsync(inTimeToken)));
        Assert.Equal("token_expired", await Person.CodeAsync(await tooLate.VerifyAsync(tooLateToken), HttpStatusCode.BadRequest));
        Assert.Equal(0, await ariya.AccountsAsync(tooLate));
    }

    [Fact]
    [Trait("Promise", "P11")]
    public async Task EveryMailedLinkWorksUntilOneIsUsed()
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        await person.AllMailsAsync();
        await ResendAsync(person);
        var mails = await person.AllMailsAsync();
        Assert.Equal(2, mails.Count);
        Assert.NotEqual(mails[0].Token, mails[1].Token);

        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(mails[0].Token)));
        Assert.Equal("already_verified", await Person.StatusAsync(await person.VerifyAsync(mails[1].Token)));
        Assert.Equal("already_verified", await Person.StatusAsync(await person.VerifyAsync(mails[0].Token)));
        Assert.Equal(1, await ariya.AccountsAsync(person));

        var other = new Person(ariya);
        await other.RegisterAsync();
        await other.AllMailsAsync();
        await ResendAsync(other);
        Assert.Equal("verified", await Person.StatusAsync(await other.VerifyAsync((await other.AllMailsAsync())[1].Token)));
    }

    [Fact]
    [Trait("Promise", "P11")]
    public async Task AskingAgainSaysNothingOfAnAddress()
    {
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var verified = await Person.WithAccountAsync(ariya);
        var mailsBefore = (await verified.AllMailsAsync()).Count;
        var unknown = new Person(ariya);

        var shape = await Answers.ShapeAsync(await ResendAsync(waiting));
        Assert.StartsWith("202", shape, StringComparison.Ordinal);
        Assert.Equal(shape, await Answers.ShapeAsync(await ResendAsync(verified)));
        Assert.Equal(shape, await Answers.ShapeAsync(await ResendAsync(unknown)));
        Assert.Equal(mailsBefore, (await verified.AllMailsAsync()).Count);
        Assert.Empty(await unknown.AllMailsAsync());
    }

    [Fact]
    [Trait("Promise", "P12")]
    [Trait("Promise", "P51")]
    public async Task NoTokenAndNoCodeRestsInTheDatabase()
    {
        var person = await Person.WithAccountAsync(ariya);
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var verification = await waiting.MailAsync(ConfirmSubject);
        var reset = await person.MailAsync("Choose a new password");
        string[] tokens = [verification.Token, reset.Token, (await person.MailAsync(ConfirmSubject)).Token];
        foreach (var token in tokens)
        {
            Assert.Equal(43, token.Length);
            Assert.Equal(1, await ariya.ScalarAsync<long>(
                "select count(*) from one_time_tokens where token_hash = $1", SHA256.HashData(Encoding.ASCII.GetBytes(token))));
            Assert.Equal(0, await OccurrencesAsync(token));
            Assert.Equal(0, await OccurrencesAsync(Convert.ToBase64String(Encoding.ASCII.GetBytes(token))));
            Assert.Equal(0, await OccurrencesAsync(Convert.ToBase64String(Base64Url.DecodeFromChars(token))));
        }

        var codeHash = Convert.ToBase64String(SHA256.HashData(Encoding.ASCII.GetBytes(verification.Code)));
        Assert.Equal(0, await OccurrencesAsync(codeHash));
        Assert.Equal(0, await ariya.ScalarAsync<long>(
            "select count(*) from one_time_tokens t where address = $1 and to_jsonb(t)::text ~ ('\\W' || $2 || '\\W')",
            waiting.Email, verification.Code));
    }

    private static Task<HttpResponseMessage> ResendAsync(Person person) =>
        person.PostAsync("/api/v1/auth/resend-verification", new { email = person.Email });

    // Every row of every table as text; bytes as base64.
    private Task<long> OccurrencesAsync(string secret) => ariya.ScalarAsync<long>(
        """
        select count(*)
        from (select query_to_xml(format('select * from %I.%I', schemaname, tablename), true, false, '')::text as content
              from pg_tables where schemaname not in ('pg_catalog', 'information_schema')) t
        where position($1 in replace(content, E'\n', '')) > 0
        """, secret);
}
