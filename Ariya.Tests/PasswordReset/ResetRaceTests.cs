using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class ResetRaceTests(RunningAriya ariya)
{
    private const string NewPassword = "the next sentence nobody else types";

    [Fact]
    [Trait("Promise", "P15")]
    public async Task OfThirtyPasswordsForOneLinkOneWins()
    {
        var person = await Person.WithAccountAsync(ariya);
        var token = await TokenAsync(person);
        var passwords = Enumerable.Range(0, 30).Select(number => $"one of thirty sentences, number {number}").ToList();
        var answers = await Task.WhenAll(passwords.Select(password => ResetAsync(person, token, password)));
        var won = Assert.Single(answers.Index(), answer => answer.Item.StatusCode == HttpStatusCode.NoContent).Index;
        foreach (var refused in answers.Where((_, index) => index != won))
        {
            Assert.Equal("token_used", await Person.CodeAsync(refused, HttpStatusCode.BadRequest));
        }

        foreach (var others in passwords.Where((_, index) => index != won).Chunk(9))
        {
            foreach (var other in others)
            {
                Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(other), HttpStatusCode.Unauthorized));
            }

            // Before the tenth wrong one makes the next try wait.
            Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(passwords[won])).StatusCode);
        }

        Assert.Single(await person.AllMailsAsync(), mail => mail.Subject == "Your password was changed");
    }

    [Fact]
    [Trait("Promise", "P18")]
    public async Task NoSignInWithTheOldPasswordSurvivesAResetItRacedWith()
    {
        var person = await Person.WithAccountAsync(ariya);
        var token = await TokenAsync(person);
        var login = new { email = person.Email, password = person.Password };
        var logins = Enumerable.Range(0, 50).Select(number => person.SendAsync(
            HttpMethod.Post, "/api/v1/auth/login", login, api: number % 2 == 0 ? ariya.Api : ariya.OtherApi)).ToList();
        await Task.WhenAny(logins);
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(person, token, NewPassword)).StatusCode);

        var answers = await Task.WhenAll(logins);
        Assert.Contains(answers, answer => answer.StatusCode == HttpStatusCode.OK);
        foreach (var answer in answers)
        {
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                var tokens = await Person.TokensAsync(answer);
                Assert.Equal("session_ended", await Person.CodeAsync(
                    await person.RefreshAsync(tokens.Refresh), HttpStatusCode.Unauthorized));
            }
            else
            {
                Assert.Equal("invalid_credentials", await Person.CodeAsync(answer, HttpStatusCode.Unauthorized));
            }
        }

        Assert.Equal(0, await ariya.LiveSessionsAsync(person));
        // Those that lost the race were wrong passwords; ten of them make the next try wait, and here the wait is over.
        await ariya.SqlAsync(
            """
            update sign_in_failures set delayed_until = clock_timestamp()
            where address_key in (select address_key from audit_events e join accounts a on a.id = e.account_id where a.email_canonical = $1)
            """, person.Email);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
    }

    [Theory]
    [Trait("Promise", "P18")]
    [InlineData(true)]
    [InlineData(false)]
    public async Task ASignInThatWaitsForTheAccountBesideAResetIsDeadOrRefused(bool isSignInFirst)
    {
        var person = await Person.WithAccountAsync(ariya);
        var token = await TokenAsync(person);
        await using var held = await RowLock.TakeAsync(ariya, "select from accounts where email_canonical = $1 for update", person.Email);
        var first = isSignInFirst ? person.LoginAsync() : ResetAsync(person, token, NewPassword);
        await held.WaitersAsync(1);
        var second = isSignInFirst ? ResetAsync(person, token, NewPassword) : person.LoginAsync();
        await held.WaitersAsync(2);
        await held.ReleaseAsync();

        var (signedIn, reset) = isSignInFirst ? (await first, await second) : (await second, await first);
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        if (isSignInFirst)
        {
            var tokens = await Person.TokensAsync(signedIn);
            Assert.Equal("session_ended", await Person.CodeAsync(await person.RefreshAsync(tokens.Refresh), HttpStatusCode.Unauthorized));
        }
        else
        {
            Assert.Equal("invalid_credentials", await Person.CodeAsync(signedIn, HttpStatusCode.Unauthorized));
        }

        Assert.Equal(0, await ariya.LiveSessionsAsync(person));
    }

    [Fact]
    [Trait("Promise", "P19")]
    public async Task AResetThatFailsAtItsLastStepChangesNothing()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var token = await TokenAsync(person);
        await ariya.SqlAsync(
            """
            create function fail_reset() returns trigger language plpgsql as $$ begin raise exception 'not now'; end $$;
            create trigger fail_reset before insert on audit_events for each row
              when (new.kind = 'password.reset') execute function fail_reset();
            """);
        try
        {
            using var answer = await ResetAsync(person, token, NewPassword);
            Assert.Equal("unavailable", await Person.CodeAsync(answer, HttpStatusCode.ServiceUnavailable));
            Assert.NotNull(answer.Headers.RetryAfter);
        }
        finally
        {
            await ariya.SqlAsync("drop trigger fail_reset on audit_events; drop function fail_reset();");
        }

        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.RefreshAsync(tokens.Refresh)).StatusCode);
        Assert.DoesNotContain(await person.AllMailsAsync(), mail => mail.Subject == "Your password was changed");
        Assert.Equal(HttpStatusCode.NoContent, (await ResetAsync(person, token, NewPassword)).StatusCode);
    }

    [Fact]
    public async Task AResetAndAChangeAtOnceDoNotBlockEachOther()
    {
        const string Changed = "the sentence of the one who changed";
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var token = await TokenAsync(person);
        await using var held = await RowLock.TakeAsync(ariya, "select from accounts where email_canonical = $1 for update", person.Email);
        var changing = person.SendAsync(
            HttpMethod.Post, "/api/v1/account/password", new { currentPassword = person.Password, newPassword = Changed }, tokens.Access);
        await held.WaitersAsync(1);
        var resetting = ResetAsync(person, token, NewPassword);
        await held.WaitersAsync(2);
        await held.ReleaseAsync();

        // The change was first and ended the link.
        Assert.Equal(HttpStatusCode.NoContent, (await changing).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(await resetting, HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(Changed)).StatusCode);
    }

    private static Task<HttpResponseMessage> ResetAsync(Person person, string token, string password) =>
        person.PostAsync("/api/v1/auth/reset-password", new { token, password });

    private static async Task<string> TokenAsync(Person person)
    {
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        return (await person.MailAsync("Choose a new password")).Token;
    }
}
