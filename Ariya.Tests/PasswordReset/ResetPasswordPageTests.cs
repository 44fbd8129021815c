using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class ResetPasswordPageTests(RunningAriya ariya) : IDisposable
{
    private const string NewPassword = "the next sentence nobody else types";
    private readonly Browser _browser = new(ariya);

    public void Dispose() => _browser.Dispose();

    [Fact]
    [Trait("Promise", "P13")]
    [Trait("Promise", "P15")]
    public async Task OpeningTheLinkShowsAFormAndPostingItSetsThePassword()
    {
        var (person, token) = await AskedAsync();
        for (var scan = 0; scan < 3; scan++)
        {
            await _browser.SendAsync(HttpMethod.Head, $"/reset-password?token={token}");
            var page = await _browser.OpenAsync($"/reset-password?token={token}");
            Assert.Equal(HttpStatusCode.OK, page.StatusCode);
            Assert.Equal("no-store", page.Headers.CacheControl!.ToString());
            Assert.Equal("no-referrer", Assert.Single(page.Headers.GetValues("Referrer-Policy")));
            var html = await page.Content.ReadAsStringAsync();
            Assert.Contains("autocomplete=\"new-password\"", html, StringComparison.Ordinal);
            Assert.DoesNotContain(person.Email, html, StringComparison.Ordinal);
        }

        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
        var set = await _browser.PressAsync("/reset-password", [("token", token), ("password", NewPassword)]);
        Assert.Equal(HttpStatusCode.SeeOther, set.StatusCode);
        Assert.Equal("/reset-password?result=done", set.Headers.Location!.ToString());
        await ShowsAsync("/reset-password?result=done", "Your password is changed", HttpStatusCode.OK);
        await ShowsAsync($"/reset-password?token={token}", "This link was used", HttpStatusCode.BadRequest);
        var again = await _browser.PressAsync("/reset-password", [("token", token), ("password", person.Password)]);
        await ShowsAsync(again.Headers.Location!.ToString(), "This link was used", HttpStatusCode.BadRequest);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
    }

    [Fact]
    public async Task AWeakPasswordIsExplainedAndTheLinkStaysGood()
    {
        var (person, token) = await AskedAsync();
        foreach (var (password, reason) in new[]
        {
            ("too short", "Use at least 15 characters"), (new string('x', 257), "Use at most 256 characters"),
            ("abcabcabcabcabcabc", "This repeats one short piece"), ("", "This field is required"),
        })
        {
            var answer = await _browser.PressAsync("/reset-password", [("token", token), ("password", password)]);
            Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
            var html = await answer.Content.ReadAsStringAsync();
            Assert.Contains(reason, html, StringComparison.Ordinal);
            Assert.Contains("<form", html, StringComparison.Ordinal);
            Assert.True(password.Length == 0 || !html.Contains(password, StringComparison.Ordinal));
        }

        var set = await _browser.PressAsync("/reset-password", [("token", token), ("password", NewPassword)]);
        Assert.Equal("/reset-password?result=done", set.Headers.Location!.ToString());
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync(NewPassword)).StatusCode);
    }

    [Fact]
    [Trait("Promise", "P16")]
    public async Task ExpiredMangledAndForeignPostsSetNothing()
    {
        var (person, token) = await AskedAsync();
        var foreign = await _browser.PressAsync(
            "/reset-password", [("token", token), ("password", NewPassword)], "https://elsewhere.example", "cross-site");
        Assert.Equal(HttpStatusCode.BadRequest, foreign.StatusCode);
        var mangled = await _browser.PressAsync("/reset-password", [("token", token[..42] + "!"), ("password", NewPassword)]);
        await ShowsAsync(mangled.Headers.Location!.ToString(), "This link is not valid", HttpStatusCode.BadRequest);
        await ShowsAsync("/reset-password?token=%3Cscript%3E", "This link is not valid", HttpStatusCode.BadRequest);

        await ariya.MoveLinksBackAsync(person, new TimeSpan(1, 0, 1));
        await ShowsAsync($"/reset-password?token={token}", "This link has expired", HttpStatusCode.BadRequest);
        var expired = await _browser.PressAsync("/reset-password", [("token", token), ("password", NewPassword)]);
        await ShowsAsync(expired.Headers.Location!.ToString(), "This link has expired", HttpStatusCode.BadRequest);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
    }

    private async Task<(Person Person, string Token)> AskedAsync()
    {
        var person = await Person.WithAccountAsync(ariya);
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        return (person, (await person.MailAsync("Choose a new password")).Token);
    }

    private async Task ShowsAsync(string path, string text, HttpStatusCode status)
    {
        var page = await _browser.OpenAsync(path);
        Assert.Equal(status, page.StatusCode);
        Assert.Contains(text, await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
    }
}
