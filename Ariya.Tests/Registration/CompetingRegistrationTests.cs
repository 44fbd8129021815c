using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

/// <summary>Somebody registers another person's address, before or after its owner, and hopes that the owner presses a button.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class CompetingRegistrationTests(RunningAriya ariya) : IDisposable
{
    private const string ConfirmSubject = "Confirm your e-mail address";
    private const string AttackersPassword = "only the attacker knows this";
    private readonly Browser _browser = new(ariya);

    public void Dispose() => _browser.Dispose();

    [Fact]
    public async Task WhateverTheOwnerPressesTheAttackersPasswordOpensNothing()
    {
        var (owner, attacker, mails) = await ContestedAsync();
        Assert.Equal(3, mails.Count);
        foreach (var mail in mails)
        {
            Assert.Equal("password_required", await Person.CodeAsync(await owner.VerifyAsync(mail.Token), HttpStatusCode.Conflict));
            var pressed = await _browser.PressAsync("/verify-email", [("token", mail.Token)]);
            Assert.Contains("Type the password you chose", await pressed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        // The attacker's links with the owner's password: not the password of those registrations.
        var (first, own, last) = (mails[0], mails[1], mails[2]);
        foreach (var mail in new[] { first, last })
        {
            Assert.Equal("invalid_credentials", await Person.CodeAsync(
                await VerifyAsync(owner, mail.Token, owner.Password), HttpStatusCode.Unauthorized));
            var pressed = await _browser.PressAsync("/verify-email", [("token", mail.Token), ("password", owner.Password)]);
            Assert.Equal(HttpStatusCode.Unauthorized, pressed.StatusCode);
        }

        Assert.Equal(0, await ariya.AccountsAsync(owner));
        Assert.Equal("verified", await Person.StatusAsync(await VerifyAsync(owner, own.Token, owner.Password)));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await attacker.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.RegistrationsAsync(owner));
        Assert.Equal("already_verified", await Person.StatusAsync(await VerifyAsync(attacker, last.Token, AttackersPassword)));
        Assert.Equal("Grace", (string?)(await owner.SignInAsync()).Body["account"]!["firstName"]);
    }

    [Fact]
    public async Task ThePageAsksForThePasswordAndTakesTheRightOne()
    {
        var (owner, _, mails) = await ContestedAsync();
        var page = await _browser.OpenAsync($"/verify-email?token={mails[1].Token}");
        Assert.Contains("type=\"password\"", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);

        var wrong = await _browser.PressAsync("/verify-email", [("token", mails[1].Token), ("password", "not the one I chose then")]);
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        Assert.Contains("That is not the password of this registration", await wrong.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        var tooLong = await _browser.PressAsync("/verify-email", [("token", mails[1].Token), ("password", new string('x', 257))]);
        Assert.Equal(HttpStatusCode.BadRequest, tooLong.StatusCode);
        Assert.Equal(0, await ariya.AccountsAsync(owner));

        var right = await _browser.PressAsync("/verify-email", [("token", mails[1].Token), ("password", owner.Password)]);
        Assert.Equal("/verify-email?result=verified", right.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task TheRightCodeAsksForThePasswordToo()
    {
        var (owner, attacker, mails) = await ContestedAsync();
        var newest = mails[2];
        var request = new { email = owner.Email, code = newest.Code };
        Assert.Equal("password_required", await Person.CodeAsync(
            await owner.PostAsync("/api/v1/auth/verify-email", request), HttpStatusCode.Conflict));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(
            await owner.PostAsync("/api/v1/auth/verify-email", new { request.email, request.code, password = owner.Password }),
            HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.AccountsAsync(owner));
        Assert.NotEqual(HttpStatusCode.OK, (await attacker.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task WithoutTheRejectedRegistrationsTheOwnersLinkNeedsNoPassword()
    {
        var (owner, attacker, mails) = await ContestedAsync();
        foreach (var strange in new[] { mails[0], mails[2] })
        {
            await _browser.PressAsync("/verify-email", [("token", strange.Token), ("action", "reject")]);
        }

        Assert.Equal("verified", await Person.StatusAsync(await owner.VerifyAsync(mails[1].Token)));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await attacker.LoginAsync(), HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task ALinkThatIsUsedWhileSomebodyElseRegistersMakesNoContestedAccount()
    {
        for (var round = 0; round < 8; round++)
        {
            var attacker = new Person(ariya) { Password = AttackersPassword, FirstName = "Mallory", Ip = Networks.Next() };
            var owner = new Person(ariya, attacker.Email) { Ip = Networks.Next() };
            await attacker.RegisterAsync();
            var token = (await owner.MailAsync(ConfirmSubject)).Token;
            var registering = owner.RegisterAsync();
            var verifying = owner.VerifyAsync(token);
            Assert.Equal(HttpStatusCode.Accepted, (await registering).StatusCode);
            var answer = await verifying;
            Assert.True(answer.StatusCode is HttpStatusCode.OK or HttpStatusCode.Conflict, answer.StatusCode.ToString());
            // Either the press came first, or the other registration was there and the password was asked for.
            Assert.Equal(answer.StatusCode == HttpStatusCode.OK ? 1 : 0, await ariya.AccountsAsync(owner));
        }
    }

    [Fact]
    public async Task RegisteringATakenAddressMailsNoLink()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var attacker = new Person(ariya, owner.Email) { Password = AttackersPassword };
        await attacker.RegisterAsync();
        await attacker.PostAsync("/api/v1/auth/resend-verification", new { email = owner.Email });
        Assert.Single(await owner.AllMailsAsync(), mail => mail.Token.Length > 0);
        Assert.Equal("email_not_verified", await Person.CodeAsync(await attacker.LoginAsync(), HttpStatusCode.Forbidden));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
    }

    // The attacker, the owner, and the attacker again: the mails come in that order.
    private async Task<(Person Owner, Person Attacker, IReadOnlyList<CaughtMail> Mails)> ContestedAsync()
    {
        var owner = new Person(ariya) { Ip = Networks.Next() };
        var attacker = new Person(ariya, owner.Email) { Password = AttackersPassword, FirstName = "Mallory", Ip = Networks.Next() };
        await attacker.RegisterAsync();
        await owner.AllMailsAsync();
        await owner.RegisterAsync();
        await owner.AllMailsAsync();
        attacker.FirstName = "Mallory again";
        await attacker.RegisterAsync();
        return (owner, attacker, await owner.AllMailsAsync());
    }

    private static Task<HttpResponseMessage> VerifyAsync(Person person, string token, string password) =>
        person.PostAsync("/api/v1/auth/verify-email", new { token, password });
}
