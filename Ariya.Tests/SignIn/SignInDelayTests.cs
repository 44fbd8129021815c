using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.SignIn;

[Collection(RunningAriyaTests.Name)]
public sealed class SignInDelayTests(RunningAriya ariya)
{
    private const string Wrong = "nobody has this password";
    private static readonly TimeSpan s_aMoment = TimeSpan.FromMilliseconds(-1);

    [Fact]
    public async Task TheWaitBeginsAtTheTenthWrongPasswordAndDoublesToAQuarterOfAnHour()
    {
        var person = await StrangerToItsNetworkAsync();
        await RefuseAsync(person, SignInCounters.FirstDelayed - 1);
        var counter = await SignInCounters.OfAsync(ariya, person);
        Assert.Equal(0, await counter.DelayAsync());

        foreach (var seconds in new[] { 1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900 })
        {
            await RefuseAsync(person, 1);
            Assert.Equal(seconds, await counter.DelayAsync(), tolerance: 0.1);
            await counter.SetAsync(await counter.FailuresAsync(), s_aMoment);
        }
    }

    [Fact]
    public async Task WhileItWaitsNothingIsCountedAndAfterItTheRightPasswordOpens()
    {
        var person = await StrangerToItsNetworkAsync();
        await RefuseAsync(person, SignInCounters.FirstDelayed);
        var counter = await SignInCounters.OfAsync(ariya, person);
        await counter.SetAsync(SignInCounters.FirstDelayed, TimeSpan.FromSeconds(60));
        foreach (var password in new[] { Wrong, person.Password, Wrong })
        {
            var answer = await person.LoginAsync(password);
            Assert.Equal("sign_in_delayed", await Person.CodeAsync(answer, HttpStatusCode.TooManyRequests));
            Assert.InRange(answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds, 30, 60);
        }

        Assert.Equal(SignInCounters.FirstDelayed, await counter.FailuresAsync());
        await counter.SetAsync(SignInCounters.FirstDelayed, s_aMoment);
        await person.SignInAsync();
        Assert.Equal(0, await counter.CountAsync());
        await RefuseAsync(person, SignInCounters.FirstDelayed);
    }

    [Fact]
    [Trait("Promise", "P38")]
    public async Task AHundredWrongPasswordsEndThePasswordUntilAReset()
    {
        var person = await StrangerToItsNetworkAsync();
        await RefuseAsync(person, 1);
        var counter = await SignInCounters.OfAsync(ariya, person);
        await counter.SetAsync(99, s_aMoment);
        await RefuseAsync(person, 1);
        Assert.Equal(100, await counter.FailuresAsync());
        await counter.SetAsync(100, TimeSpan.FromDays(-1));
        var answer = await person.LoginAsync();
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(answer, HttpStatusCode.TooManyRequests));
        Assert.Equal(900, answer.Headers.RetryAfter!.Delta!.Value.TotalSeconds);

        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var token = (await person.MailAsync("Choose a new password")).Token;
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.TooManyRequests));
        person.Password = "the one that came after the flood";
        Assert.Equal(HttpStatusCode.NoContent,
            (await person.PostAsync("/api/v1/auth/reset-password", new { token, password = person.Password })).StatusCode);
        Assert.Equal(0, await counter.CountAsync());
        await person.SignInAsync();
    }

    [Fact]
    public async Task GuessesMadeAtOnceCannotOutrunTheCount()
    {
        var person = await StrangerToItsNetworkAsync();
        await RefuseAsync(person, 1);
        var counter = await SignInCounters.OfAsync(ariya, person);
        await counter.SetAsync(98, s_aMoment);
        var answers = await Task.WhenAll(Enumerable.Range(0, 20).Select(_ => person.LoginAsync(Wrong)));
        Assert.All(answers, answer => Assert.True(answer.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.TooManyRequests));
        // The first of them began a wait of a quarter of an hour; the others were refused uncounted.
        Assert.Equal(99, await counter.FailuresAsync());
        Assert.NotEqual(HttpStatusCode.OK, (await person.LoginAsync()).StatusCode);
    }

    [Fact]
    public async Task TheRightPasswordBehindADelayThatIsJustBeingWrittenOpensNothing()
    {
        var person = await StrangerToItsNetworkAsync();
        await RefuseAsync(person, 1);
        await using var held = await (await SignInCounters.OfAsync(ariya, person)).BeginDelayAsync();
        var signingIn = person.LoginAsync();
        await held.WaitersAsync(1);
        await held.ReleaseAsync();
        Assert.Equal("invalid_credentials", await Person.CodeAsync(await signingIn, HttpStatusCode.Unauthorized));
        Assert.Equal(0, await ariya.SessionsAsync(person));
    }

    [Fact]
    public async Task AStrangersGuessesDoNotKeepTheOwnerOutOfTheirOwnNetwork()
    {
        var owner = await StrangerToItsNetworkAsync();
        await owner.SignInAsync();
        var attacker = new Person(ariya, owner.Email) { Ip = Networks.Next() };
        await RefuseAsync(attacker, SignInCounters.FirstDelayed);
        var counter = await SignInCounters.OfAsync(ariya, attacker);
        await counter.SetAsync(100, TimeSpan.Zero);

        // Somebody beside the owner and somebody elsewhere read the same answer.
        var beside = new Person(ariya, owner.Email) { Ip = owner.Ip };
        Assert.Equal(await Answers.ShapeAsync(await attacker.LoginAsync(Wrong)), await Answers.ShapeAsync(await beside.LoginAsync(Wrong)));
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await attacker.LoginAsync(owner.Password), HttpStatusCode.TooManyRequests));
        await owner.SignInAsync();
    }

    [Fact]
    public async Task TheOwnersNetworkHasACountOfItsOwn()
    {
        var owner = await StrangerToItsNetworkAsync();
        await owner.SignInAsync();
        await RefuseAsync(owner, SignInCounters.FirstDelayed);
        var counter = await SignInCounters.OfAsync(ariya, owner);
        Assert.Equal(2, await counter.CountAsync());
        await counter.SetAsync(SignInCounters.FirstDelayed, TimeSpan.FromMinutes(5));
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await owner.LoginAsync(), HttpStatusCode.TooManyRequests));
    }

    [Theory]
    [InlineData(60, true)]
    [InlineData(-1, false)]
    public async Task ANetworkIsKnownForThirtyDaysAfterASignIn(int secondsLeft, bool isKnown)
    {
        var owner = await StrangerToItsNetworkAsync();
        await owner.SignInAsync();
        await ariya.SqlAsync(
            """
            update sessions set created_at = created_at - interval '30 days' + $1
            where account_id = (select id from accounts where email_canonical = $2)
            """, TimeSpan.FromSeconds(secondsLeft), owner.Email);
        var attacker = new Person(ariya, owner.Email) { Ip = Networks.Next() };
        await RefuseAsync(attacker, 1);
        await (await SignInCounters.OfAsync(ariya, attacker)).SetAsync(100, TimeSpan.Zero);
        Assert.Equal(isKnown ? HttpStatusCode.OK : HttpStatusCode.TooManyRequests, (await owner.LoginAsync()).StatusCode);
    }

    private async Task<Person> StrangerToItsNetworkAsync()
    {
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = Networks.Next();
        return person;
    }

    private static async Task RefuseAsync(Person person, int times)
    {
        for (var guess = 0; guess < times; guess++)
        {
            Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(Wrong), HttpStatusCode.Unauthorized));
        }
    }
}
