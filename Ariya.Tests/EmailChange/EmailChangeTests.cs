using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.EmailChange;

[Collection(RunningAriyaTests.Name)]
public sealed class EmailChangeTests(RunningAriya ariya) : IDisposable
{
    private const string ConfirmSubject = "Confirm your new e-mail address";
    private const string ChangedSubject = "Your e-mail address was changed";
    private const string NewPassword = "the next sentence nobody else types";

    private readonly Browser _browser = new(ariya);

    public void Dispose() => _browser.Dispose();

    [Fact]
    public async Task TheNewMailboxConfirmsAndTheOldOneIsTold()
    {
        var (before, after, token) = await AskedAsync();
        var session = await before.SignInAsync();
        await before.PostAsync("/api/v1/auth/forgot-password", new { email = before.Email });
        var resetToken = (await before.MailAsync("Choose a new password")).Token;

        // Asking changes nothing.
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await after.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.DoesNotContain(await before.AllMailsAsync(), mail => mail.Subject == ChangedSubject);

        Assert.Equal(HttpStatusCode.NoContent, (await ConfirmAsync(token)).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(await ConfirmAsync(token), HttpStatusCode.BadRequest));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await before.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal("session_ended", await Person.CodeAsync(await before.RefreshAsync(session.Refresh), HttpStatusCode.Unauthorized));
        Assert.Equal("token_used", await Person.CodeAsync(
            await before.PostAsync("/api/v1/auth/reset-password", new { token = resetToken, password = NewPassword }), HttpStatusCode.BadRequest));
        var signedIn = await after.SignInAsync();
        Assert.Equal(after.Email, (string?)signedIn.Body["account"]!["email"]);

        var notice = await before.MailAsync(ChangedSubject);
        foreach (var kept in new[] { after.Email, before.Password, token })
        {
            Assert.DoesNotContain(kept, notice.Text + notice.Html, StringComparison.Ordinal);
        }

        Assert.Equal(["account.email_change_requested", "account.email_changed"], await EventsAsync(after));
    }

    [Fact]
    public async Task TheOldMailboxTakesTheAccountBackFromWhoeverKnewItsPassword()
    {
        var (owner, thief, token) = await AskedAsync();
        await ConfirmAsync(token);
        var stolen = await thief.SignInAsync();
        var undo = (await owner.MailAsync(ChangedSubject)).Token;

        Assert.Equal("password_too_weak", await Person.CodeAsync(await UndoAsync(undo, "abcabcabcabcabcabc"), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.NoContent, (await UndoAsync(undo, NewPassword)).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(await thief.RefreshAsync(stolen.Refresh), HttpStatusCode.Unauthorized));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await thief.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await owner.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync(NewPassword)).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(await UndoAsync(undo, "yet another sentence of theirs"), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync(NewPassword)).StatusCode);
        await owner.MailAsync("Your password was changed");
    }

    [Fact]
    public async Task SeveralChangesInARowAreUndoneBackToTheFirstAndNotAgainByTheThief()
    {
        var (owner, first, token) = await AskedAsync();
        await ConfirmAsync(token);
        var undo = (await owner.MailAsync(ChangedSubject)).Token;
        var second = new Person(ariya);
        await RequestAsync(first, second.Email, await first.SignInAsync());
        await ConfirmAsync((await second.MailAsync(ConfirmSubject)).Token);
        var undoOfTheThief = (await first.MailAsync(ChangedSubject)).Token;
        var third = new Person(ariya);
        await RequestAsync(second, third.Email, await second.SignInAsync());
        var pending = (await third.MailAsync(ConfirmSubject)).Token;

        Assert.Equal(HttpStatusCode.NoContent, (await UndoAsync(undo, NewPassword)).StatusCode);
        Assert.Equal("token_used", await Person.CodeAsync(await UndoAsync(undoOfTheThief, "a sentence of the thief's own"), HttpStatusCode.BadRequest));
        Assert.Equal("token_expired", await Person.CodeAsync(await ConfirmAsync(pending), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync(NewPassword)).StatusCode);
    }

    [Fact]
    public async Task AChangeIsConfirmedWithinADayAndUndoneWithinSeven()
    {
        var (_, late, lateToken) = await AskedAsync();
        await MoveBackAsync(late, new TimeSpan(24, 0, 1));
        Assert.Equal("token_expired", await Person.CodeAsync(await ConfirmAsync(lateToken), HttpStatusCode.BadRequest));

        var (owner, inTime, token) = await AskedAsync();
        await MoveBackAsync(inTime, new TimeSpan(23, 59, 0));
        Assert.Equal(HttpStatusCode.NoContent, (await ConfirmAsync(token)).StatusCode);
        var undo = (await owner.MailAsync(ChangedSubject)).Token;
        await MoveBackAsync(inTime, new TimeSpan(7, 0, 0, 1));
        Assert.Equal("token_expired", await Person.CodeAsync(await UndoAsync(undo, NewPassword), HttpStatusCode.BadRequest));
        await MoveBackAsync(inTime, -TimeSpan.FromMinutes(1));
        Assert.Equal(HttpStatusCode.NoContent, (await UndoAsync(undo, NewPassword)).StatusCode);
    }

    [Fact]
    public async Task ATakenAddressIsAnsweredLikeAFreeOneAndOnlyItsMailboxLearnsOfIt()
    {
        var taken = await Person.WithAccountAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var shape = await Answers.ShapeAsync(await RequestAsync(person, new Person(ariya).Email, session));
        Assert.StartsWith("202", shape, StringComparison.Ordinal);
        Assert.Equal(shape, await Answers.ShapeAsync(await RequestAsync(person, taken.Email, session)));

        Assert.Equal("email_taken", await Person.CodeAsync(await ConfirmAsync((await taken.MailAsync(ConfirmSubject)).Token), HttpStatusCode.Conflict));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await taken.LoginAsync()).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await person.RefreshAsync(session.Refresh)).StatusCode);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task OfAConfirmationAndARegistrationOfOneAddressAtOnceOneWins(bool isConfirmationFirst)
    {
        var (before, after, token) = await AskedAsync();
        var stranger = new Person(ariya, after.Email) { Password = "a sentence of the other one" };
        await stranger.RegisterAsync();
        var registration = (await stranger.MailAsync("Confirm your e-mail address")).Token;

        await using var held = await RowLock.TakeAsync(ariya, "select pg_advisory_xact_lock(hashtextextended($1, 0))", after.Email);
        var first = isConfirmationFirst ? ConfirmAsync(token) : stranger.VerifyAsync(registration);
        await held.WaitersAsync(1);
        var second = isConfirmationFirst ? stranger.VerifyAsync(registration) : ConfirmAsync(token);
        await held.WaitersAsync(2);
        await held.ReleaseAsync();
        var (confirmed, verified) = isConfirmationFirst ? (await first, await second) : (await second, await first);

        if (isConfirmationFirst)
        {
            Assert.Equal(HttpStatusCode.NoContent, confirmed.StatusCode);
            Assert.Equal("already_verified", await Person.StatusAsync(verified));
            Assert.Equal(HttpStatusCode.OK, (await after.LoginAsync()).StatusCode);
        }
        else
        {
            Assert.Equal("verified", await Person.StatusAsync(verified));
            Assert.Equal("email_taken", await Person.CodeAsync(confirmed, HttpStatusCode.Conflict));
            Assert.Equal(HttpStatusCode.OK, (await stranger.LoginAsync()).StatusCode);
            Assert.Equal(HttpStatusCode.OK, (await before.LoginAsync()).StatusCode);
        }

        Assert.Equal(1, await ariya.AccountsAsync(after));
    }

    [Fact]
    public async Task TwentyPressesOfOneLinkAreOneChangeAndOneNotice()
    {
        var (before, after, token) = await AskedAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => ConfirmAsync(token)));
        Assert.Single(answers, answer => answer.StatusCode == HttpStatusCode.NoContent);
        foreach (var lost in answers.Where(answer => answer.StatusCode != HttpStatusCode.NoContent))
        {
            Assert.Equal("token_used", await Person.CodeAsync(lost, HttpStatusCode.BadRequest));
        }

        Assert.Single(await before.AllMailsAsync(), mail => mail.Subject == ChangedSubject);
        Assert.Equal(HttpStatusCode.OK, (await after.LoginAsync()).StatusCode);
    }

    [Theory]
    [InlineData("update accounts set auth_epoch = auth_epoch + 1, password_hash = 'another' where email_canonical = $1", "token_expired", HttpStatusCode.BadRequest)]
    [InlineData("update accounts set password_hash = 'another' where email_canonical = $1", "invalid_credentials", HttpStatusCode.Unauthorized)]
    public async Task AConfirmationThatWaitedWhileItsProofWasUndoneIsNotSaidToBeDone(string change, string code, HttpStatusCode status)
    {
        var (before, after, token) = await AskedAsync();
        await using var held = await RowLock.TakeAsync(ariya, change, before.Email);
        var confirming = ConfirmAsync(token);
        await held.WaitersAsync(1);
        await held.ReleaseAsync();
        Assert.Equal(code, await Person.CodeAsync(await confirming, status));
        Assert.Equal(0, await ariya.AccountsAsync(after));
    }

    [Fact]
    public async Task AnUndoingThatWaitedWhileTheAccountWasDisabledIsNotSaidToBeDone()
    {
        var (owner, thief, token) = await AskedAsync();
        await ConfirmAsync(token);
        var undo = (await owner.MailAsync(ChangedSubject)).Token;
        await using var held = await RowLock.TakeAsync(ariya, "update accounts set status = 'disabled' where email_canonical = $1", thief.Email);
        var undoing = UndoAsync(undo, NewPassword);
        await held.WaitersAsync(1);
        await held.ReleaseAsync();
        Assert.Equal("token_invalid", await Person.CodeAsync(await undoing, HttpStatusCode.BadRequest));
        Assert.Equal(1, await ariya.AccountsAsync(thief));
    }

    [Fact]
    public async Task ASignInThatWaitsForTheAccountBesideAChangeIsDead()
    {
        var (before, after, token) = await AskedAsync();
        await using var held = await RowLock.TakeAsync(ariya, "select from accounts where email_canonical = $1 for update", before.Email);
        var signingIn = before.LoginAsync();
        await held.WaitersAsync(1);
        var confirming = ConfirmAsync(token);
        await held.WaitersAsync(2);
        await held.ReleaseAsync();

        var tokens = await Person.TokensAsync(await signingIn);
        Assert.Equal(HttpStatusCode.NoContent, (await confirming).StatusCode);
        Assert.Equal("session_ended", await Person.CodeAsync(await before.RefreshAsync(tokens.Refresh), HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.LiveSessionsAsync(after));
    }

    [Fact]
    public async Task WhoeverPressesTheButtonOfAStrangersRequestKeepsTheirOwnRegistration()
    {
        var (stranger, victim, token) = await AskedAsync();
        var own = new Person(ariya, victim.Email) { Password = "a sentence of the victim's own" };
        await own.RegisterAsync();
        var registration = (await own.MailAsync("Confirm your e-mail address")).Token;
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await ConfirmAsync(token, own.Password), HttpStatusCode.Unauthorized));
        Assert.Equal("verified", await Person.StatusAsync(await own.VerifyAsync(registration)));
        Assert.Equal(HttpStatusCode.OK, (await own.LoginAsync()).StatusCode);
        Assert.Equal("email_taken", await Person.CodeAsync(await ConfirmAsync(token), HttpStatusCode.Conflict));
        Assert.Equal(HttpStatusCode.OK, (await stranger.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task ANewPasswordEndsAChangeThatWaits()
    {
        var (owner, thief, token) = await AskedAsync();
        await owner.PostAsync("/api/v1/auth/forgot-password", new { email = owner.Email });
        var reset = (await owner.MailAsync("Choose a new password")).Token;
        await owner.PostAsync("/api/v1/auth/reset-password", new { token = reset, password = NewPassword });
        Assert.Equal("token_expired", await Person.CodeAsync(await ConfirmAsync(token), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync(NewPassword)).StatusCode);
        Assert.Equal(0, await ariya.AccountsAsync(thief));
    }

    [Fact]
    public async Task ALaterRequestTakesThePlaceOfTheEarlier()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var (mistyped, meant) = (new Person(ariya), new Person(ariya) { Password = person.Password });
        await RequestAsync(person, mistyped.Email, session);
        var earlier = (await mistyped.MailAsync(ConfirmSubject)).Token;
        await RequestAsync(person, meant.Email, session);
        Assert.Equal("token_expired", await Person.CodeAsync(await ConfirmAsync(earlier), HttpStatusCode.BadRequest));
        Assert.Equal(HttpStatusCode.NoContent, (await ConfirmAsync((await meant.MailAsync(ConfirmSubject)).Token)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await meant.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task AWrongPasswordAsksForNothingAndCounts()
    {
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = Networks.Next();
        var session = await person.SignInAsync();
        var wanted = new Person(ariya);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(
            await RequestAsync(person, wanted.Email, session, "nobody has this password"), HttpStatusCode.Unauthorized));
        Assert.Equal(1, await (await SignIn.SignInCounters.OfAsync(ariya, person)).FailuresAsync());
        Assert.Empty(await wanted.AllMailsAsync());
        Assert.Equal(0, await ariya.ScalarAsync<long>("select count(*) from email_changes where new_email_canonical = $1", wanted.Email));
    }

    [Fact]
    public async Task TheOwnAddressIsNoNewOne()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        Assert.Equal("validation_failed", await Person.CodeAsync(
            await RequestAsync(person, person.Email.ToUpperInvariant(), session), HttpStatusCode.BadRequest));
    }

    [Fact]
    public async Task NobodyFillsAMailboxWithRequestsForIt()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var stranger = new Person(ariya);
        for (var request = 0; request < 7; request++)
        {
            Assert.Equal(HttpStatusCode.Accepted, (await RequestAsync(person, stranger.Email, session)).StatusCode);
        }

        Assert.Equal(5, await ariya.ScalarAsync<long>("select count(*) from outbox_messages where recipient = $1", stranger.Email));
    }

    [Fact]
    public async Task ARepeatUnderAKeyIsOneRequest()
    {
        var person = await Person.WithAccountAsync(ariya);
        var session = await person.SignInAsync();
        var wanted = new Person(ariya);
        var body = new { email = wanted.Email, password = person.Password };
        for (var time = 0; time < 2; time++)
        {
            Assert.Equal(HttpStatusCode.Accepted, (await person.SendAsync(
                HttpMethod.Post, "/api/v1/account/email", body, session.Access, idempotencyKey: $"change-{wanted.Email}")).StatusCode);
        }

        Assert.Equal(1, await ariya.ScalarAsync<long>("select count(*) from email_changes where new_email_canonical = $1", wanted.Email));
    }

    [Fact]
    public async Task ThePagesShowAndTheirButtonsAct()
    {
        var (owner, thief, token) = await AskedAsync();
        for (var scan = 0; scan < 2; scan++)
        {
            await ShowsAsync($"/confirm-email-change?token={token}", "Confirm the new address", HttpStatusCode.OK);
        }

        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
        var foreign = await _browser.PressAsync("/confirm-email-change", [("token", token), ("password", owner.Password)], "https://elsewhere.example", "cross-site");
        Assert.Equal(HttpStatusCode.BadRequest, foreign.StatusCode);
        var wrong = await _browser.PressAsync("/confirm-email-change", [("token", token), ("password", "nobody has this password")]);
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        Assert.Contains("That is not the password of the account", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var confirmed = await _browser.PressAsync("/confirm-email-change", [("token", token), ("password", owner.Password)]);
        Assert.Equal("/confirm-email-change?result=done", confirmed.Headers.Location!.ToString());
        await ShowsAsync("/confirm-email-change?result=done", "Your address is changed", HttpStatusCode.OK);
        await ShowsAsync($"/confirm-email-change?token={token}", "This link was used", HttpStatusCode.BadRequest);
        await ShowsAsync("/confirm-email-change?token=nonsense", "This link is not valid", HttpStatusCode.BadRequest);

        var undo = (await owner.MailAsync(ChangedSubject)).Token;
        await ShowsAsync($"/undo-email-change?token={undo}", "Take your account back", HttpStatusCode.OK);
        var weak = await _browser.PressAsync("/undo-email-change", [("token", undo), ("password", "too short")]);
        Assert.Equal(HttpStatusCode.BadRequest, weak.StatusCode);
        Assert.Contains("Use at least 15 characters", await weak.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await thief.LoginAsync()).StatusCode);
        var undone = await _browser.PressAsync("/undo-email-change", [("token", undo), ("password", NewPassword)]);
        Assert.Equal("/undo-email-change?result=done", undone.Headers.Location!.ToString());
        await ShowsAsync("/undo-email-change?result=done", "Your account has its old address again", HttpStatusCode.OK);
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync(NewPassword)).StatusCode);
    }

    /// <summary>Somebody with an account, the same person at another address, and the token that was mailed there.</summary>
    private async Task<(Person Before, Person After, string Token)> AskedAsync()
    {
        var before = await Person.WithAccountAsync(ariya);
        var after = new Person(ariya) { Password = before.Password };
        Assert.Equal(HttpStatusCode.Accepted, (await RequestAsync(before, after.Email, await before.SignInAsync())).StatusCode);
        return (before, after, (await after.MailAsync(ConfirmSubject)).Token);
    }

    private static Task<HttpResponseMessage> RequestAsync(Person person, string email, Tokens session, string? password = null) => person.SendAsync(
        HttpMethod.Post, "/api/v1/account/email", new { email, password = password ?? person.Password }, session.Access);

    private Task<HttpResponseMessage> ConfirmAsync(string token, string? password = null) =>
        new Person(ariya).PostAsync("/api/v1/auth/confirm-email-change", new { token, password = password ?? new Person(ariya).Password });

    private Task<HttpResponseMessage> UndoAsync(string token, string password) =>
        new Person(ariya).PostAsync("/api/v1/auth/undo-email-change", new { token, password });

    private Task<int> MoveBackAsync(Person after, TimeSpan by) => ariya.SqlAsync(
        "update email_changes set expires_at = expires_at - $1 where new_email_canonical = $2", by, after.Email);

    private async Task<string[]> EventsAsync(Person person) => (await ariya.ScalarAsync<string[]>(
        """
        select array_agg(e.kind order by e.at) from audit_events e join accounts a on a.id = e.account_id
        where a.email_canonical = $1 and e.kind like 'account.email%'
        """, person.Email))!;

    private async Task ShowsAsync(string path, string text, HttpStatusCode status)
    {
        var page = await _browser.OpenAsync(path);
        Assert.Equal(status, page.StatusCode);
        Assert.Contains(text, await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
