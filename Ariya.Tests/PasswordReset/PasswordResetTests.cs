using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class PasswordResetTests(RunningAriya ariya)
{
    private const string ResetSubject = "Choose a new password";
    private const string ChangedSubject = "Your password was changed";
    private const string NewPassword = "the next sentence nobody else types";

    [Fact]
    [Trait("Promise", "P13")]
    public async Task AMailedLinkSetsANewPasswordAndTellsTheOwner()
    {
        var person = await Person.WithAccountAsync(ariya);
        var token = await TokenAsync(person);
        var answer = await ResetAsync(person, token, NewPassword);
        Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
        Assert.Empty(await answer.Content.ReadAsStringAsync());
        Assert.False(answer.Headers.Contains("Set-Cookie"));

        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.SessionsAsync(person));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
        var notice = Assert.Single(await person.AllMailsAsync(), mail => mail.Subject == ChangedSubject);
        foreach (var secret in new[] { NewPassword, person.Password, token })
        {
            Assert.DoesNotContain(secret, notice.Text + notice.Html, StringComparison.Ordinal);
        }
    }

    [Fact]
    [Trait("Promise", "P14")]
    public async Task AskingSaysNothingOfAnAddress()
    {
        var known = await Person.WithAccountAsync(ariya);
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var unknown = new Person(ariya);
        var shape = await Answers.ShapeAsync(await ForgotAsync(unknown));
        Assert.StartsWith("202", shape, StringComparison.Ordinal);
        Assert.Equal(shape, await Answers.ShapeAsync(await ForgotAsync(known)));
        Assert.Equal(shape, await Answers.ShapeAsync(await ForgotAsync(waiting)));
        Assert.Empty(await unknown.AllMailsAsync());
        Assert.DoesNotContain(await waiting.AllMailsAsync(), mail => mail.Subject == ResetSubject);
        Assert.Single(await known.AllMailsAsync(), mail => mail.Subject == ResetSubject);
    }

    [Fact]
    [Trait("Promise", "P16")]
    public async Task ALinkWorksForSixtyMinutes()
    {
        var inTime = await Person.WithAccountAsync(ariya);
        var tooLate = await Person.WithAccountAsync(ariya);
        var inTimeToken = await TokenAsync(inTime);
        var tooLateToken = await TokenAsync(tooLate);
        await ariya.MoveLinksBackAsync(inTime, TimeSpan.FromMinutes(60) - TimeSpan.FromSeconds(60));
        await ariya.MoveLinksBackAsync(tooLate, TimeSpan.FromMinutes(60) + TimeSpan.FromSeconds(1));
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(inTime, inTimeToken, NewPassword)).StatusCode);
        Assert.Equal("token_expired", await Person.CodeAsync(
            await ResetAsync(tooLate, tooLateToken, NewPassword), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await tooLate.LoginAsync()).StatusCode);
    }

    [Fact]
    [Trait("Promise", "P15")]
    [Trait("Promise", "P17")]
    public async Task OnlyTheNewestLinkWorksAndOnlyOnce()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await TokenAsync(person);
        var second = await TokenAsync(person);
        Assert.NotEqual(first, second);
        Assert.Equal("token_expired", await Person.CodeAsync(await ResetAsync(person, first, NewPassword), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(person, second, NewPassword)).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(await ResetAsync(person, second, person.Password), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.BadRequest, (await ResetAsync(person, first, person.Password)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
        Assert.Equal(0, await ariya.ScalarAsync<long>(
            """
            select count(*) from one_time_tokens
            where address = $1 and purpose = 'reset_password' and consumed_at is null and expires_at > now()
            """, person.Email));
    }

    [Fact]
    [Trait("Promise", "P17")]
    public async Task AMailThatWaitedUntilAfterTheResetCarriesNoLink()
    {
        var person = await Person.WithAccountAsync(ariya);
        await ResetAsync(person, await TokenAsync(person), NewPassword);
        var mails = (await person.AllMailsAsync()).Count;
        var late = Guid.CreateVersion7();
        await ariya.SqlAsync(
            """
            insert into outbox_messages (id, mail_id, kind, recipient, deliver_before, salt, created_at)
            select $1, $1, 'mail.password-reset.v1', email_canonical, clock_timestamp() + interval '1 hour', '\x00'::bytea,
                   password_changed_at - interval '1 second'
            from accounts where email_canonical = $2
            """, late, person.Email);
        Assert.Equal(mails, (await person.AllMailsAsync()).Count);
        Assert.Equal("superseded", await ariya.ScalarAsync<string>("select state from outbox_messages where id = $1", late));
    }

    [Fact]
    [Trait("Promise", "P18")]
    public async Task EverySignInEndsWithTheOldPassword()
    {
        var person = await Person.WithAccountAsync(ariya);
        var phone = await person.SignInAsync();
        var laptop = await person.SignInAsync();
        Assert.Equal(HttpStatusCode.OK, (await person.GetAccountAsync(phone.Access)).StatusCode);
        await ResetAsync(person, await TokenAsync(person), NewPassword);
        foreach (var tokens in new[] { phone, laptop })
        {
            Assert.Equal("session_ended", await Person.CodeAsync(await person.RefreshAsync(tokens.Refresh), HttpStatusCode.Unauthorized));
            await Wait.UntilAsync("the end of an access token", TimeSpan.FromSeconds(5), async () =>
                (await person.GetAccountAsync(tokens.Access)) is { StatusCode: HttpStatusCode.Unauthorized } refused ? refused : null);
        }
    }

    [Fact]
    [Trait("Promise", "P20")]
    public async Task TheLinkNamesTheConfiguredHostWhateverTheRequestSays()
    {
        var person = await Person.WithAccountAsync(ariya);
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/forgot-password")
        {
            Content = System.Net.Http.Json.JsonContent.Create(new { email = person.Email }),
        };
        request.Headers.Host = "evil.example";
        request.Headers.Add("X-Forwarded-Host", "evil.example");
        request.Headers.Add("X-Forwarded-Proto", "https");
        request.Headers.Add("Forwarded", "host=evil.example;proto=https");
        Assert.Equal(HttpStatusCode.Accepted, (await ariya.Api.SendAsync(request)).StatusCode);
        var mail = await person.MailAsync(ResetSubject);
        Assert.DoesNotContain("evil", mail.Text + mail.Html, StringComparison.Ordinal);
        Assert.Contains($":{ariya.Api.BaseAddress!.Port}/reset-password?token=", mail.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneMailsTokenDoesNotServeForTheOther()
    {
        var person = await Person.WithAccountAsync(ariya);
        var reset = await TokenAsync(person);
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var verification = (await waiting.MailAsync("Confirm your e-mail address")).Token;
        Assert.Equal("token_invalid", await Person.CodeAsync(await person.VerifyAsync(reset), HttpStatusCode.BadRequest));
        Assert.Equal("token_invalid", await Person.CodeAsync(
            await ResetAsync(person, verification, NewPassword), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(person, reset, NewPassword)).StatusCode);
    }

    private static Task<HttpResponseMessage> ForgotAsync(Person person) =>
        person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });

    private static Task<HttpResponseMessage> ResetAsync(Person person, string token, string password) =>
        person.PostAsync("/api/v1/auth/reset-password", new { token, password });

    private static async Task<string> TokenAsync(Person person)
    {
        await ForgotAsync(person);
        return (await person.AllMailsAsync()).Last(mail => mail.Subject == ResetSubject).Token;
    }
}
