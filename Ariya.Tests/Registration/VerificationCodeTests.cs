using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class VerificationCodeTests(RunningAriya ariya)
{
    private const string ConfirmSubject = "Confirm your e-mail address";

    [Fact]
    public async Task TheCodeOfTheMailVerifiesAndIsTheOnlyOneThatLearnsSo()
    {
        var (person, mail) = await RegisteredAsync();
        await RefusedAsync(person, WrongCode(mail));
        Assert.Equal("verified", await Person.StatusAsync(await CodeAsync(person, mail.Code)));
        Assert.Equal(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);

        await RefusedAsync(person, WrongCode(mail));
        Assert.Equal("already_verified", await Person.StatusAsync(await CodeAsync(person, mail.Code)));
        Assert.Equal("already_verified", await Person.StatusAsync(await person.VerifyAsync(mail.Token)));
    }

    [Fact]
    public async Task AnUnknownAddressIsAnsweredLikeAWrongCode()
    {
        var (person, mail) = await RegisteredAsync();
        var verified = await Person.WithAccountAsync(ariya);
        var unknown = new Person(ariya);
        var shape = await Answers.ShapeAsync(await CodeAsync(person, WrongCode(mail)));
        Assert.Equal(shape, await Answers.ShapeAsync(await CodeAsync(unknown, "000000")));
        Assert.Equal(shape, await Answers.ShapeAsync(await CodeAsync(verified, WrongCode(await verified.MailAsync(ConfirmSubject)))));
        Assert.Equal(shape, await Answers.ShapeAsync(await CodeAsync(unknown, "not six digits")));
    }

    [Fact]
    public async Task FiveTriesEndTheCodeAndNotTheLink()
    {
        var (person, mail) = await RegisteredAsync();
        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => RefusedAsync(person, WrongCode(mail))));
        await RefusedAsync(person, mail.Code);
        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(mail.Token)));
    }

    [Fact]
    public async Task TheFifthTryStillCounts()
    {
        var (person, mail) = await RegisteredAsync();
        for (var tries = 0; tries < 4; tries++)
        {
            await RefusedAsync(person, WrongCode(mail));
        }

        Assert.Equal("verified", await Person.StatusAsync(await CodeAsync(person, mail.Code)));
    }

    [Theory]
    [InlineData(9 * 60, true)]
    [InlineData((10 * 60) + 1, false)]
    public async Task ACodeWorksForTenMinutes(int secondsLater, bool works)
    {
        var (person, mail) = await RegisteredAsync();
        await ariya.MoveLinksBackAsync(person, TimeSpan.FromSeconds(secondsLater));
        if (works)
        {
            Assert.Equal("verified", await Person.StatusAsync(await CodeAsync(person, mail.Code)));
        }
        else
        {
            await RefusedAsync(person, mail.Code);
            Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(mail.Token)));
        }
    }

    [Fact]
    public async Task OnlyTheNewestMailsCodeIsTaken()
    {
        var (person, first) = await RegisteredAsync();
        await person.PostAsync("/api/v1/auth/resend-verification", new { email = person.Email });
        var second = (await person.AllMailsAsync())[1];
        // Two mails may happen to carry the same digits; then there is nothing to tell apart.
        if (first.Code != second.Code)
        {
            await RefusedAsync(person, first.Code);
        }

        Assert.Equal("verified", await Person.StatusAsync(await CodeAsync(person, second.Code)));
    }

    [Fact]
    public async Task TwentyWrongCodesADayLeaveOnlyTheLink()
    {
        var (person, mail) = await RegisteredAsync();
        for (var wrong = 0; wrong < 20; wrong++)
        {
            await RefusedAsync(person, WrongCode(mail));
        }

        await person.PostAsync("/api/v1/auth/resend-verification", new { email = person.Email });
        var fresh = (await person.AllMailsAsync())[1];
        await RefusedAsync(person, fresh.Code);
        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(fresh.Token)));
    }

    [Fact]
    public async Task ADayLaterCodesWorkAgain()
    {
        var (person, mail) = await RegisteredAsync();
        for (var wrong = 0; wrong < 20; wrong++)
        {
            await RefusedAsync(person, WrongCode(mail));
        }

        var counter = await ariya.ScalarAsync<byte[]>(
            "select key from sign_in_failures where failures = 20 and key = address_key order by last_failed_at desc limit 1");
        await ariya.SqlAsync(
            "update sign_in_failures set last_failed_at = last_failed_at - interval '24 hours 1 second' where key = $1", counter!);
        await person.PostAsync("/api/v1/auth/resend-verification", new { email = person.Email });
        Assert.Equal("verified", await Person.StatusAsync(await CodeAsync(person, (await person.AllMailsAsync())[1].Code)));
    }

    private async Task<(Person Person, CaughtMail Mail)> RegisteredAsync()
    {
        var person = new Person(ariya) { Ip = Networks.Next() };
        await person.RegisterAsync();
        var mail = await person.MailAsync(ConfirmSubject);
        Assert.Matches("^[0-9]{6}$", mail.Code);
        return (person, mail);
    }

    private static string WrongCode(CaughtMail mail) => mail.Code == "000000" ? "000001" : "000000";

    private static Task<HttpResponseMessage> CodeAsync(Person person, string code) =>
        person.PostAsync("/api/v1/auth/verify-email", new { email = person.Email, code });

    private static async Task RefusedAsync(Person person, string code) =>
        Assert.Equal("code_invalid", await Person.CodeAsync(await CodeAsync(person, code), HttpStatusCode.BadRequest));
}
