using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class TooLateToRejectTests(RunningAriya ariya) : IDisposable
{
    private readonly Browser _browser = new(ariya);

    public void Dispose() => _browser.Dispose();

    [Fact]
    public async Task WhoeverConfirmedByMistakeIsToldThatTheAccountExists()
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        var token = (await person.MailAsync("Confirm your e-mail address")).Token;
        await _browser.PressAsync("/verify-email", [("token", token)]);

        var rejected = await _browser.PressAsync("/verify-email", [("token", token), ("action", "reject")]);
        Assert.Equal("/verify-email?result=too-late", rejected.Headers.Location!.ToString());
        var page = await _browser.OpenAsync("/verify-email?result=too-late");
        Assert.Equal(HttpStatusCode.BadRequest, page.StatusCode);
        Assert.Contains("This address has an account", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
    }
}
