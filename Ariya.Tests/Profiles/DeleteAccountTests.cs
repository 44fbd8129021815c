using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Profiles;

[Collection(RunningAriyaTests.Name)]
public sealed class DeleteAccountTests(RunningAriya ariya)
{
    [Fact]
    public async Task AtOnceNobodyIsSignedInAndNobodySignsIn()
    {
        var person = await Person.WithAccountAsync(ariya);
        var (mine, other) = (await person.SignInAsync(), await person.SignInAsync());
        await person.GetAccountAsync(other.Access, ariya.OtherApi);
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var link = (await person.MailAsync("Choose a new password")).Token;
        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(person, mine)).StatusCode);

        Assert.Equal(HttpStatusCode.Unauthorized, (await person.GetAccountAsync(mine.Access)).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(await person.RefreshAsync(other.Refresh), HttpStatusCode.Unauthorized));
        await Wait.UntilAsync("the end of the other access token on the other instance", TimeSpan.FromSeconds(5), async () =>
            await person.GetAccountAsync(other.Access, ariya.OtherApi) is { StatusCode: HttpStatusCode.Unauthorized } refused ? refused : null);
        Assert.Equal("token_invalid", await Person.CodeAsync(
            await person.PostAsync("/api/v1/auth/reset-password", new { token = link, password = "the next sentence nobody else types" }), HttpStatusCode.BadRequest));

        // Like an address that never had an account.
        Assert.Equal(
            await Answers.ShapeAsync(await new Person(ariya) { Password = person.Password }.LoginAsync()),
            await Answers.ShapeAsync(await person.LoginAsync()));
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var mails = await person.AllMailsAsync();
        Assert.Single(mails, mail => mail.Subject == "Choose a new password");
        Assert.Single(mails, mail => mail.Subject == "Your account was deleted");
    }

    [Fact]
    public async Task ItsAddressIsFreeForAnotherAccount()
    {
        var person = await Person.WithAccountAsync(ariya);
        await DeleteAsync(person, await person.SignInAsync());
        var again = new Person(ariya, person.Email) { Password = "a new sentence for a new account", FirstName = "Augusta" };
        await again.RegisterAsync();
        var link = await Wait.UntilAsync("the link of the second registration", TimeSpan.FromSeconds(30), async () =>
            (await Mailbox.AllAsync(ariya.MailDev, person.Email)).Where(mail => mail.Subject == "Confirm your e-mail address").ElementAtOrDefault(1));
        Assert.Equal("verified", await Person.StatusAsync(await again.VerifyAsync(link.Token)));
        Assert.Equal("Augusta", (string?)(await again.SignInAsync()).Body["account"]!["firstName"]);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task AWrongPasswordDeletesNothingAndCounts()
    {
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = Networks.Next();
        var session = await person.SignInAsync();
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await DeleteAsync(person, session, "nobody has this password"), HttpStatusCode.Unauthorized));
        Assert.Equal(1, await (await SignIn.SignInCounters.OfAsync(ariya, person)).FailuresAsync());
        Assert.Equal(HttpStatusCode.OK, (await person.GetAccountAsync(session.Access)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task MailsThatWaitAndChangesOfAddressEndWithIt()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var wanted = new Person(ariya);
        await person.SendAsync(HttpMethod.Post, "/api/v1/account/email", new { email = wanted.Email, password = person.Password }, session.Access);
        var change = (await wanted.MailAsync("Confirm your new e-mail address")).Token;
        await ariya.SqlAsync(
            """
            insert into outbox_messages (id, mail_id, kind, payload, recipient, due_at, deliver_before, salt)
            select gen_random_uuid(), gen_random_uuid(), 'mail.welcome.v1', jsonb_build_object('accountId', id), email_canonical,
                   clock_timestamp() + interval '1 hour', clock_timestamp() + interval '2 hours', '\x00' from accounts where email_canonical = $1
            """, person.Email);
        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(person, session)).StatusCode);
        Assert.Equal("the account was deleted", await ariya.ScalarAsync<string>(
            "select reason from outbox_messages where recipient = $1 and state = 'dropped'", person.Email));
        Assert.Equal("token_invalid", await Person.CodeAsync(
            await person.PostAsync("/api/v1/auth/confirm-email-change", new { token = change, password = person.Password }), HttpStatusCode.BadRequest));
        Assert.Equal(0, await ariya.AccountsAsync(wanted));
    }

    [Fact]
    public async Task WhoCouldStillUndoAChangeOfAddressHearsOfTheDeletionToo()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var thief = new Person(ariya) { Password = owner.Password };
        await owner.SendAsync(HttpMethod.Post, "/api/v1/account/email", new { email = thief.Email, password = owner.Password }, (await owner.SignInAsync()).Access);
        await owner.PostAsync("/api/v1/auth/confirm-email-change",
            new { token = (await thief.MailAsync("Confirm your new e-mail address")).Token, password = owner.Password });
        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(thief, await thief.SignInAsync())).StatusCode);
        await owner.MailAsync("Your account was deleted");
        await thief.MailAsync("Your account was deleted");
        Assert.Equal(1, await ariya.ScalarAsync<long>("select count(*) from email_changes where old_email_canonical = $1", owner.Email));
    }

    [Fact]
    public async Task AnAdminIsNotDeletedBeforeTheRoleIsTaken()
    {
        var person = await Person.WithAccountAsync(ariya);
        await ariya.SqlAsync("update accounts set roles = '{admin}' where email_canonical = $1", person.Email);
        var session = await person.SignInAsync();
        Assert.Equal("state_conflict", await Person.CodeAsync(await DeleteAsync(person, session), HttpStatusCode.Conflict));
        await ariya.SqlAsync("update accounts set roles = '{}', updated_at = clock_timestamp() where email_canonical = $1", person.Email);
        await Wait.UntilAsync("the role to be known as taken", TimeSpan.FromSeconds(10), async () =>
            await DeleteAsync(person, session) is { StatusCode: HttpStatusCode.NoContent } deleted ? deleted : null);
        Assert.Equal(0, await ariya.AccountsAsync(person));
    }

    [Fact]
    public async Task ASignInThatWaitsForTheAccountBesideItsDeletionIsDead()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var id = await ariya.ScalarAsync<Guid>("select id from accounts where email_canonical = $1", person.Email);
        await using var held = await RowLock.TakeAsync(ariya, "select from accounts where email_canonical = $1 for update", person.Email);
        var signingIn = person.LoginAsync();
        await held.WaitersAsync(1);
        var deleting = DeleteAsync(person, session);
        await held.WaitersAsync(2);
        await held.ReleaseAsync();
        var tokens = await Person.TokensAsync(await signingIn);
        Assert.Equal(HttpStatusCode.NoContent, (await deleting).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(await person.RefreshAsync(tokens.Refresh), HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from sessions where account_id = $1 and revoked_at is null", id));
    }

    private static Task<HttpResponseMessage> DeleteAsync(Person person, Tokens session, string? password = null) =>
        person.SendAsync(HttpMethod.Delete, "/api/v1/account", new { password = password ?? person.Password }, session.Access);
}
