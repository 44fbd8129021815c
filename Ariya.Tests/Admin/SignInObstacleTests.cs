using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Admin;

/// <summary>Why somebody cannot sign in, for each reason that there is.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class SignInObstacleTests(RunningAriya ariya)
{
    [Fact]
    public async Task WithoutAnAccountItIsSaidSo()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = new Person(ariya);
        var nobody = await OfAddressAsync(admin, person);
        Assert.Equal(["no_account"], CodesOf(nobody));
        Assert.Null(nobody["accountId"]);
        Assert.Contains("429 rate_limited", nobody["notSeen"]!.ToJsonString(), StringComparison.Ordinal);

        await person.RegisterAsync();
        await person.MailAsync("Confirm your e-mail address");
        using var login = await person.LoginAsync();
        Assert.Equal("email_not_verified", await Person.CodeAsync(login, HttpStatusCode.Forbidden));
        var waiting = await Wait.UntilAsync("the registration's mail to be written down as sent", TimeSpan.FromSeconds(10), async () =>
            await OfAddressAsync(admin, person) is var report && CodesOf(report).SequenceEqual(["not_verified"]) ? report : null);
        Assert.Equal("mail.registration.v1 sent", $"{waiting["mails"]![0]!["kind"]} {waiting["mails"]![0]!["state"]}");
        Assert.Equal(("password", 1), ((string?)waiting["wrongPasswords"]![0]!["of"], (int)waiting["wrongPasswords"]![0]!["failures"]!));

        await ariya.SqlAsync("update outbox_messages set state = 'dead', reason = '550 5.1.1 no such user' where recipient = $1", person.Email);
        var dead = await OfAddressAsync(admin, person);
        Assert.Equal(["not_verified", "mail_failed"], CodesOf(dead));
        Assert.Contains("550 5.1.1 no such user", dead.ToJsonString(), StringComparison.Ordinal);
        await ariya.SqlAsync("update outbox_messages set state = 'retry', due_at = clock_timestamp() + interval '1 hour' where recipient = $1", person.Email);
        Assert.Equal(["not_verified", "mail_waiting"], CodesOf(await OfAddressAsync(admin, person)));
        Assert.True(await ariya.ScalarAsync<long>(
            "select count(*) from audit_events where kind = 'admin.obstacles_read' and account_id is null and address_key is not null and starts_with(detail, $1)",
            $"by {admin.Id}") >= 4);
    }

    [Fact]
    public async Task AnAccountThatSignsInHasNone()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        var report = await Wait.UntilAsync("the mails to be written down as sent", TimeSpan.FromSeconds(10), async () =>
            await OfAddressAsync(admin, person) is var found && found["mails"]!.AsArray().All(mail => (string?)mail!["state"] == "sent") ? found : null);
        Assert.Empty(CodesOf(report));
        Assert.Equal(2, report["mails"]!.AsArray().Count);
        Assert.Equal(id.ToString(), (string?)report["accountId"]);
        Assert.Equal(report.ToJsonString(), (await admin.GetAsync($"accounts/{id}/sign-in-obstacles")).ToJsonString());
        Assert.True(await admin.AuditedAsync("admin.obstacles_read", id) >= 2);
    }

    [Fact]
    public async Task ADeletedAccountIsNotThereAnyMoreWhoeverHasItsAddressSinceThen()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        await person.SendAsync(HttpMethod.Delete, "/api/v1/account", new { password = person.Password }, (await person.SignInAsync()).Access);
        await new Person(ariya, person.Email) { FirstName = "Ada" }.RegisterAsync();
        var report = await admin.GetAsync($"accounts/{id}/sign-in-obstacles");
        Assert.Equal(["deleted"], CodesOf(report));
        Assert.Empty(report["mails"]!.AsArray());
        var account = await admin.GetAsync($"accounts/{id}");
        Assert.Equal("deleted", (string?)account["status"]);
        Assert.Empty(account["mails"]!.AsArray());
        Assert.Contains("not_verified", CodesOf(await OfAddressAsync(admin, person)));
    }

    [Fact]
    public async Task ADisabledAccountIsSaidToBeSinceWhenAndByWhom()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        using var disabled = await admin.DisableAsync(await ariya.AccountIdAsync(person), "abuse");
        var obstacle = (await OfAddressAsync(admin, person))["obstacles"]!.AsArray().Single(one => (string?)one!["code"] == "disabled")!;
        Assert.Contains($"by {admin.Id}: abuse", (string?)obstacle["detail"], StringComparison.Ordinal);
        Assert.NotNull(obstacle["since"]);
    }

    [Fact]
    public async Task WrongPasswordsAndCodesAreToldWithTheirEnds()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = Networks.Next();
        using var wrong = await person.LoginAsync("not the sentence at all");
        await SetCountersAsync(person, "failures = 12, delayed_until = clock_timestamp() + interval '4 minutes'");
        var delayed = await OfAddressAsync(admin, person);
        Assert.Equal(["delayed"], CodesOf(delayed).Where(code => !code.StartsWith("mail_", StringComparison.Ordinal)));
        Assert.NotNull(delayed["obstacles"]!.AsArray().Single(one => (string?)one!["code"] == "delayed")!["until"]);
        Assert.Equal(person.Ip![..person.Ip!.LastIndexOf('.')] + ".0/24", (string?)Assert.Single(delayed["refusals"]!.AsArray())!["network"]);

        await SetCountersAsync(person, "failures = 100, delayed_until = null");
        Assert.Contains("password_off", CodesOf(await OfAddressAsync(admin, person)));
        // A delay that is over stands in nobody's way.
        await SetCountersAsync(person, "failures = 12, delayed_until = clock_timestamp() - interval '1 second'");
        Assert.DoesNotContain("delayed", CodesOf(await OfAddressAsync(admin, person)));

        for (var i = 0; i < 20; i++)
        {
            using var code = await person.PostAsync("/api/v1/auth/verify-email", new { email = person.Email, code = "000000" });
        }

        var off = (await OfAddressAsync(admin, person))["obstacles"]!.AsArray().Single(one => (string?)one!["code"] == "codes_off")!;
        Assert.Equal(TimeSpan.FromHours(24), (DateTimeOffset)off["until"]! - (DateTimeOffset)off["since"]!);
    }

    private static IReadOnlyList<string> CodesOf(JsonNode report) => [.. report["obstacles"]!.AsArray().Select(one => (string)one!["code"]!)];

    private static Task<JsonNode> OfAddressAsync(Operator admin, Person person) => admin.GetAsync($"sign-in-obstacles?email={person.Email}");

    /// <summary>The counters of the address: the audit of a wrong password has its key.</summary>
    private async Task SetCountersAsync(Person person, string change) => Assert.NotEqual(0, await ariya.SqlAsync(
        $"""
         update sign_in_failures set {change}
         where address_key in (select address_key from audit_events where account_id = (select id from accounts where email_canonical = $1))
         """, person.Email));
}
