using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class MailedNamesTests(RunningAriya ariya)
{
    private const string ConfirmSubject = "Confirm your e-mail address";

    [Fact]
    [Trait("Promise", "P49")]
    public async Task MarkupInANameIsText()
    {
        var person = new Person(ariya) { FirstName = "<b>x</b>\"&'", LastName = "{{link}}" };
        Assert.Equal(HttpStatusCode.Accepted, (await person.RegisterAsync()).StatusCode);
        var mail = await person.MailAsync(ConfirmSubject);
        Assert.DoesNotContain("<b>x", mail.Html, StringComparison.Ordinal);
        Assert.Contains("&lt;b&gt;x&lt;/b&gt;&quot;&amp;&#x27;", mail.Html, StringComparison.Ordinal);
        Assert.Contains("{{link}}", mail.Text, StringComparison.Ordinal);
        var page = await (await ariya.Api.GetAsync($"/verify-email?token={mail.Token}")).Content.ReadAsStringAsync();
        Assert.Contains("&lt;b&gt;x&lt;/b&gt;&quot;&amp;&#x27; {{link}}", page, StringComparison.Ordinal);

        await person.VerifyAsync(mail.Token);
        var welcome = await person.MailAsync("Welcome");
        Assert.DoesNotContain("<b>x", welcome.Html, StringComparison.Ordinal);
        Assert.Contains("Welcome, <b>x</b>\"&'", welcome.Text, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Promise", "P49")]
    [InlineData("Grace\r\nBcc: somebody@example.com")]
    [InlineData("Grace\nHopper")]
    [InlineData("Grace\u0000")]
    [InlineData("Grace\u2028Hopper")]
    [InlineData("Grace\u202Ereppoh")]
    [InlineData("   ")]
    public async Task NamesThatBreakLinesOrHideAreRefused(string name)
    {
        var person = new Person(ariya) { FirstName = name };
        var answer = await person.RegisterAsync();
        Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
        var problem = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!;
        Assert.Equal("validation_failed", (string?)problem["code"]);
        Assert.NotNull(problem["errors"]!["firstName"]);
        Assert.Equal(0, await ariya.RegistrationsAsync(person));
    }

    [Theory]
    [InlineData("Win at https://evil.example/now")]
    [InlineData("www.evil.example")]
    [InlineData("evil.example")]
    [InlineData("evil\uFF0Eexample")]
    [InlineData("mail me@evil.example")]
    public async Task AStrangersNameIsNoLink(string name)
    {
        var person = new Person(ariya) { LastName = name };
        await person.RegisterAsync();
        var mail = await person.MailAsync(ConfirmSubject);
        foreach (var part in new[] { mail.Text, mail.Html })
        {
            Assert.DoesNotMatch("evil[.\uFF0E]example|://evil|www\\.|@evil", part);
            Assert.Contains("evil", part, StringComparison.Ordinal);
        }
    }

    [Fact]
    public async Task NamesOfManyScriptsArriveAsTheyAre()
    {
        var person = new Person(ariya) { FirstName = "Ngũgĩ 愛子", LastName = "О’Нил-Žižek" };
        await person.RegisterAsync();
        var mail = await person.MailAsync(ConfirmSubject);
        Assert.Contains("Ngũgĩ 愛子 О’Нил-Žižek", mail.Text, StringComparison.Ordinal);
        Assert.Contains("Ngũgĩ 愛子 О’Нил-Žižek", WebUtility.HtmlDecode(mail.Html), StringComparison.Ordinal);
    }
}
