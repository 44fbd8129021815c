using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class ChangePasswordTests(RunningAriya ariya)
{
    private const string NewPassword = "the next sentence nobody else types";

    [Fact]
    public async Task AChangeEndsTheOtherSessionsAndNotItsOwn()
    {
        var person = await Person.WithAccountAsync(ariya);
        var mine = await person.SignInAsync();
        var other = await person.SignInAsync();
        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(person, mine, person.Password, NewPassword)).StatusCode);

        Assert.Equal(HttpStatusCode.OK, (await person.GetAccountAsync(mine.Access)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.RefreshAsync(mine.Refresh)).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(await person.RefreshAsync(other.Refresh), HttpStatusCode.Unauthorized));
        await Wait.UntilAsync("the end of the other access token", TimeSpan.FromSeconds(5), async () =>
            (await person.GetAccountAsync(other.Access)) is { StatusCode: HttpStatusCode.Unauthorized } refused ? refused : null);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);

        var notice = Assert.Single(await person.AllMailsAsync(), mail => mail.Subject == "Your password was changed");
        Assert.DoesNotContain(NewPassword, notice.Text + notice.Html, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AChangeEndsTheLinksThatWereMailedBefore()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var token = (await person.MailAsync("Choose a new password")).Token;
        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(person, tokens, person.Password, NewPassword)).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(
            await person.PostAsync("/api/v1/auth/reset-password", new { token, password = "a sentence of whoever had the link" }),
            HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
    }

    [Fact]
    public async Task WrongCurrentPasswordsAreCountedLikeWrongSignIns()
    {
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = Networks.Next();
        var tokens = await person.SignInAsync();
        for (var guess = 0; guess < SignIn.SignInCounters.FirstDelayed; guess++)
        {
            Assert.Equal("invalid_credentials", await Person.CodeAsync(
                await ChangeAsync(person, tokens, "nobody has this password", NewPassword), HttpStatusCode.Unauthorized));
        }

        var counter = await SignIn.SignInCounters.OfAsync(ariya, person);
        await counter.SetAsync(SignIn.SignInCounters.FirstDelayed, TimeSpan.FromMinutes(5));
        var delayed = await ChangeAsync(person, tokens, person.Password, NewPassword);
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(delayed, HttpStatusCode.TooManyRequests));
        Assert.InRange(delayed.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 240, 300);
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.TooManyRequests));

        await counter.SetAsync(SignIn.SignInCounters.FirstDelayed, TimeSpan.FromMilliseconds(-1));
        Assert.Equal(HttpStatusCode.NoContent, (await ChangeAsync(person, tokens, person.Password, NewPassword)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
    }

    [Fact]
    public async Task OfTwoChangesAtOnceOneFindsItsCurrentPasswordGone()
    {
        var person = await Person.WithAccountAsync(ariya);
        var sessions = new[] { await person.SignInAsync(), await person.SignInAsync() };
        var passwords = new[] { "the sentence of the first session", "the sentence of the second session" };
        await using var held = await RowLock.TakeAsync(ariya, "select from accounts where email_canonical = $1 for update", person.Email);
        var changes = sessions.Zip(passwords, (session, password) => ChangeAsync(person, session, person.Password, password)).ToList();
        await held.WaitersAsync(2);
        await held.ReleaseAsync();

        var answers = await Task.WhenAll(changes);
        var won = Assert.Single(answers.Index(), answer => answer.Item.StatusCode == HttpStatusCode.NoContent).Index;
        Assert.Equal("invalid_credentials", await Person.CodeAsync(answers[1 - won], HttpStatusCode.Unauthorized));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(passwords[won])).StatusCode);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(
            await person.LoginAsync(passwords[1 - won]), HttpStatusCode.Unauthorized));
        Assert.Equal(HttpStatusCode.OK, (await person.RefreshAsync(sessions[won].Refresh)).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(
            await person.RefreshAsync(sessions[1 - won].Refresh), HttpStatusCode.Unauthorized));
    }

    private static Task<HttpResponseMessage> ChangeAsync(Person person, Tokens tokens, string currentPassword, string newPassword) =>
        person.SendAsync(HttpMethod.Post, "/api/v1/account/password", new { currentPassword, newPassword }, tokens.Access);
}
