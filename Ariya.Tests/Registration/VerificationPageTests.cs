using System.Net;
using System.Text.RegularExpressions;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class VerificationPageTests(RunningAriya ariya) : IDisposable
{
    private const string ConfirmSubject = "Confirm your e-mail address";
    private readonly Browser _browser = new(ariya);

    public void Dispose() => _browser.Dispose();

    [Fact]
    public async Task AScannerThatOpensEveryLinkOfAMailChangesNothing()
    {
        var (person, mail) = await RegisteredAsync();
        var links = Regex.Matches(mail.Html + mail.Text, "https?://[^\\s\"<]+")
            .Select(link => new Uri(WebUtility.HtmlDecode(link.Value)).PathAndQuery).Distinct();
        Assert.NotEmpty(links);
        foreach (var link in links)
        {
            foreach (var method in new[] { HttpMethod.Head, HttpMethod.Get, HttpMethod.Get, HttpMethod.Options })
            {
                var answer = await _browser.SendAsync(method, link);
                Assert.True(answer.StatusCode < HttpStatusCode.InternalServerError, $"{method} {link}: {answer.StatusCode}");
            }
        }

        Assert.Equal(0, await ariya.AccountsAsync(person));
        Assert.Equal(1, await ariya.RegistrationsAsync(person));
        var pressed = await PressAsync(("token", mail.Token));
        Assert.Equal("/verify-email?result=verified", Location(pressed));
        Assert.Equal(1, await ariya.AccountsAsync(person));
    }

    [Fact]
    public async Task ThePageSaysWhatIsAboutToHappenAndKeepsTheTokenToItself()
    {
        var (person, mail) = await RegisteredAsync();
        var page = await _browser.OpenAsync($"/verify-email?token={mail.Token}");
        Assert.Equal(HttpStatusCode.OK, page.StatusCode);
        Assert.Equal("text/html; charset=utf-8", page.Content.Headers.ContentType!.ToString());
        Assert.Equal("no-store", page.Headers.CacheControl!.ToString());
        Assert.Equal("no-referrer", Assert.Single(page.Headers.GetValues("Referrer-Policy")));
        Assert.Equal("nosniff", Assert.Single(page.Headers.GetValues("X-Content-Type-Options")));
        Assert.Equal("noindex", Assert.Single(page.Headers.GetValues("X-Robots-Tag")));
        Assert.Equal("default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
            Assert.Single(page.Headers.GetValues("Content-Security-Policy")));
        Assert.False(page.Headers.Contains("Set-Cookie"));

        var html = await page.Content.ReadAsStringAsync();
        Assert.Contains("Grace Hopper", html, StringComparison.Ordinal);
        Assert.Contains(Network(person), html, StringComparison.Ordinal);
        Assert.DoesNotContain(person.Email, html, StringComparison.Ordinal);
        Assert.DoesNotContain("<script", html, StringComparison.OrdinalIgnoreCase);
        Assert.DoesNotMatch("(src|href)=\"https?:", html);

        var pressed = await PressAsync(("token", mail.Token));
        Assert.Equal(HttpStatusCode.SeeOther, pressed.StatusCode);
        Assert.DoesNotContain(mail.Token, Location(pressed), StringComparison.Ordinal);
        await ShowsAsync(Location(pressed), "Your address is confirmed", HttpStatusCode.OK);
        await ShowsAsync($"/verify-email?token={mail.Token}", "Already confirmed", HttpStatusCode.OK);
        await ShowsAsync(Location(await PressAsync(("token", mail.Token))), "Already confirmed", HttpStatusCode.OK);
    }

    [Theory]
    [InlineData("cross-site")]
    [InlineData("same-site")]
    public async Task AnotherSiteCannotPressTheButton(string site)
    {
        var (person, mail) = await RegisteredAsync();
        var pressed = await _browser.PressAsync("/verify-email", [("token", mail.Token)], "https://elsewhere.example", site);
        Assert.Equal(HttpStatusCode.BadRequest, pressed.StatusCode);
        Assert.Equal(0, await ariya.AccountsAsync(person));
        Assert.Equal("/verify-email?result=verified", Location(await PressAsync(("token", mail.Token))));
    }

    [Fact]
    [Trait("Promise", "P10")]
    public async Task ExpiredAndMangledLinksSaySo()
    {
        var (person, mail) = await RegisteredAsync();
        await ariya.MoveLinksBackAsync(person, new TimeSpan(24, 0, 1));
        await ShowsAsync($"/verify-email?token={mail.Token}", "This link has expired", HttpStatusCode.BadRequest);
        await ShowsAsync(Location(await PressAsync(("token", mail.Token))), "This link has expired", HttpStatusCode.BadRequest);

        foreach (var mangled in new[] { mail.Token[1..], mail.Token + "A", new string('A', 43), "%00", "<script>", "" })
        {
            await ShowsAsync($"/verify-email?token={Uri.EscapeDataString(mangled)}", "This link is not valid", HttpStatusCode.BadRequest);
            await ShowsAsync(Location(await PressAsync(("token", mangled))), "This link is not valid", HttpStatusCode.BadRequest);
        }

        Assert.Equal(0, await ariya.AccountsAsync(person));
    }

    [Fact]
    public async Task WhoeverDidNotRegisterEndsTheRegistrationAndItsLinks()
    {
        var (person, mail) = await RegisteredAsync();
        var pressed = await PressAsync(("token", mail.Token), ("action", "reject"));
        await ShowsAsync(Location(pressed), "That registration is deleted", HttpStatusCode.OK);
        Assert.Equal(0, await ariya.RegistrationsAsync(person));
        Assert.Equal("token_expired", await Person.CodeAsync(await person.VerifyAsync(mail.Token), HttpStatusCode.BadRequest));
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.AccountsAsync(person));

        // A link whose account exists rejects nothing.
        var owner = await Person.WithAccountAsync(ariya);
        var used = (await owner.MailAsync(ConfirmSubject)).Token;
        Assert.Equal(HttpStatusCode.SeeOther, (await PressAsync(("token", used), ("action", "reject"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task ConfirmingAndRejectingAtOnceIsOneOfTheTwo()
    {
        var (person, mail) = await RegisteredAsync();
        await using var held = await RowLock.TakeAsync(
            ariya, "select from registrations where email_canonical = $1 for update", person.Email);
        var rejecting = PressAsync(("token", mail.Token), ("action", "reject"));
        await held.WaitersAsync(1);
        var confirming = PressAsync(("token", mail.Token));
        await held.WaitersAsync(2);
        await held.ReleaseAsync();

        Assert.Equal("/verify-email?result=rejected", Location(await rejecting));
        Assert.Equal("/verify-email?result=expired", Location(await confirming));
        Assert.Equal(0, await ariya.RegistrationsAsync(person));
        Assert.Equal(0, await ariya.AccountsAsync(person));
    }

    private async Task<(Person Person, CaughtMail Mail)> RegisteredAsync()
    {
        var person = new Person(ariya) { Ip = Networks.Next() };
        await person.RegisterAsync();
        return (person, await person.MailAsync(ConfirmSubject));
    }

    private Task<HttpResponseMessage> PressAsync(params (string, string)[] fields) => _browser.PressAsync("/verify-email", fields);

    private async Task ShowsAsync(string path, string text, HttpStatusCode status)
    {
        var page = await _browser.OpenAsync(path);
        Assert.Equal(status, page.StatusCode);
        Assert.Contains(text, await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }

    private static string Location(HttpResponseMessage answer) => answer.Headers.Location!.ToString();

    private static string Network(Person person) => person.Ip![..person.Ip!.LastIndexOf('.')] + ".0/24";
}
