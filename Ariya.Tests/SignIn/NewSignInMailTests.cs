using Ariya.Tests.Distributed;

namespace Ariya.Tests.SignIn;

[Collection(RunningAriyaTests.Name)]
public sealed class NewSignInMailTests(RunningAriya ariya)
{
    private const string Chrome =
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";

    [Fact]
    public async Task OnlyAProgramOrANetworkNotSeenBeforeIsTold()
    {
        var person = await Person.WithAccountAsync(ariya);
        var (home, firefox) = (Networks.Next(), person.UserAgent);
        await SignInAsync(person, home, firefox, expectedMails: 0);
        await SignInAsync(person, home, firefox, expectedMails: 0);
        var elsewhere = Networks.Next();
        await SignInAsync(person, elsewhere, firefox, expectedMails: 1);
        await SignInAsync(person, home, Chrome, expectedMails: 2);
        await SignInAsync(person, elsewhere, Chrome, expectedMails: 2);
        await SignInAsync(person, elsewhere, firefox, expectedMails: 2);
    }

    [Fact]
    public async Task TheMailNamesProgramAndNetworkAndNothingThatAStrangerTyped()
    {
        var person = await Person.WithAccountAsync(ariya);
        await SignInAsync(person, Networks.Next(), person.UserAgent, expectedMails: 0);
        var network = Networks.Next();
        await SignInAsync(person, network, Chrome + " https://evil.example", expectedMails: 1);
        var mail = await person.MailAsync("New sign-in to your account");
        Assert.Contains("Chrome on Windows", mail.Text, StringComparison.Ordinal);
        Assert.Contains($"{network[..network.LastIndexOf('.')]}.0/24", mail.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("evil", mail.Text + mail.Html, StringComparison.Ordinal);
        Assert.DoesNotContain(network, mail.Text + mail.Html, StringComparison.Ordinal);
        Assert.Empty(mail.Token);
    }

    private static async Task SignInAsync(Person person, string ip, string userAgent, int expectedMails)
    {
        person.Ip = ip;
        person.UserAgent = userAgent;
        await person.SignInAsync();
        Assert.Equal(expectedMails, (await person.AllMailsAsync()).Count(mail => mail.Subject == "New sign-in to your account"));
    }
}
