using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

[Collection(RunningAriyaTests.Name)]
public sealed class RegistrationTests(RunningAriya ariya)
{
    private const string ConfirmSubject = "Confirm your e-mail address";
    private const string TakenSubject = "You already have an account";

    [Fact]
    [Trait("Promise", "P06")]
    [Trait("Promise", "P12")]
    public async Task OneMailAndOneButtonLieBetweenRegisteringAndSigningIn()
    {
        var person = new Person(ariya);
        Assert.Equal(HttpStatusCode.Accepted, (await person.RegisterAsync()).StatusCode);
        Assert.Equal("email_not_verified", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Forbidden));
        Assert.Equal(0, await ariya.AccountsAsync(person));

        var mail = Assert.Single(await person.AllMailsAsync());
        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(mail.Token)));
        Assert.Equal([ConfirmSubject, "Welcome"], (await person.AllMailsAsync()).Select(sent => sent.Subject));

        var account = (await person.SignInAsync()).Body["account"]!;
        Assert.Equal(person.Email, (string?)account["email"]);
        Assert.True((bool)account["emailVerified"]!);
        Assert.Empty(account["roles"]!.AsArray());
        Assert.Equal(0, await ariya.RegistrationsAsync(person));
    }

    [Fact]
    [Trait("Promise", "P07")]
    public async Task ATakenAddressIsAnsweredLikeAFreeOneAndItsOwnerToldOnceADay()
    {
        var owner = await Person.WithAccountAsync(ariya);
        const string Password = "what a stranger would like";
        var stranger = new Person(ariya, owner.Email.ToUpperInvariant())
        {
            FirstName = "Mallory",
            Password = Password,
            Ip = Networks.Next(),
        };
        var free = new Person(ariya) { FirstName = "Mallory", Password = Password, Ip = Networks.Next() };
        Assert.Equal(await Answers.ShapeAsync(await free.RegisterAsync()), await Answers.ShapeAsync(await stranger.RegisterAsync()));

        stranger.Password = "what another one would like";
        await stranger.RegisterAsync();
        var notice = Assert.Single(await NoticesAsync(owner));
        Assert.DoesNotContain("Mallory", notice.Text, StringComparison.Ordinal);
        Assert.Empty(notice.Token);

        await MoveNoticeBackAsync(owner, new TimeSpan(23, 59, 0));
        stranger.Password = "what a third one would like";
        await stranger.RegisterAsync();
        Assert.Single(await NoticesAsync(owner));

        await MoveNoticeBackAsync(owner, new TimeSpan(0, 1, 1));
        stranger.Password = "what a fourth one would like";
        await stranger.RegisterAsync();
        Assert.Equal(2, (await NoticesAsync(owner)).Count());

        Assert.Equal(1, await ariya.AccountsAsync(owner));
        Assert.Equal(HttpStatusCode.OK, (await owner.LoginAsync()).StatusCode);
        Assert.NotEqual(HttpStatusCode.OK, (await stranger.LoginAsync()).StatusCode);
    }

    [Fact]
    [Trait("Promise", "P08")]
    public async Task FiftyEqualRequestsAtOnceAreOneRegistrationAndOneMail()
    {
        var person = new Person(ariya) { Ip = Networks.Next() };
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(_ => person.RegisterAsync()));
        var shapes = await Task.WhenAll(answers.Select(Answers.ShapeAsync));
        Assert.StartsWith("202", Assert.Single(shapes.Distinct()), StringComparison.Ordinal);

        Assert.Equal(1, await ariya.RegistrationsAsync(person));
        var mail = Assert.Single(await person.AllMailsAsync());
        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(mail.Token)));
        Assert.Equal(1, await ariya.AccountsAsync(person));
    }

    [Fact]
    public async Task AVendorAndItsAccountExistTogetherOrNotAtAll()
    {
        var person = new Person(ariya);
        await person.PostAsync("/api/v1/auth/register", new
        {
            email = person.Email,
            password = person.Password,
            firstName = "Ada",
            lastName = "Lovelace",
            vendor = new { businessName = "Engines that fail once", category = "Machines" },
        });
        var token = (await person.MailAsync(ConfirmSubject)).Token;
        await ariya.SqlAsync(
            """
            create function fail_vendor() returns trigger language plpgsql as $$
            begin
              if new.business_name = 'Engines that fail once' then raise exception 'not now'; end if;
              return new;
            end $$;
            create trigger fail_vendor before insert on vendors for each row execute function fail_vendor();
            """);
        try
        {
            Assert.Equal("unavailable", await Person.CodeAsync(await person.VerifyAsync(token), HttpStatusCode.ServiceUnavailable));
            Assert.Equal(0, await ariya.AccountsAsync(person));
            Assert.Equal(1, await ariya.RegistrationsAsync(person));
        }
        finally
        {
            await ariya.SqlAsync("drop trigger fail_vendor on vendors; drop function fail_vendor();");
        }

        Assert.Equal("verified", await Person.StatusAsync(await person.VerifyAsync(token)));
        var vendor = (JsonObject)(await person.SignInAsync()).Body["account"]!["vendor"]!;
        Assert.Equal("Engines that fail once", (string?)vendor["businessName"]);
        Assert.Equal("Machines", (string?)vendor["category"]);
    }

    private Task<int> MoveNoticeBackAsync(Person owner, TimeSpan by) =>
        ariya.SqlAsync("update accounts set taken_notice_at = taken_notice_at - $1 where email_canonical = $2", by, owner.Email);

    private static async Task<IEnumerable<CaughtMail>> NoticesAsync(Person person) =>
        (await person.AllMailsAsync()).Where(mail => mail.Subject == TakenSubject);
}
