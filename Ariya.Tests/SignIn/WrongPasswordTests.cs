using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.SignIn;

[Collection(RunningAriyaTests.Name)]
public sealed class WrongPasswordTests(RunningAriya ariya)
{
    private const string Wrong = "nobody has this password";

    [Fact]
    [Trait("Promise", "P22")]
    public async Task AKnownAndAnUnknownAddressAreRefusedAlike()
    {
        var known = await Person.WithAccountAsync(ariya);
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var shape = await Answers.ShapeAsync(await new Person(ariya).LoginAsync(Wrong));
        Assert.StartsWith("401", shape, StringComparison.Ordinal);
        Assert.Contains("invalid_credentials", shape, StringComparison.Ordinal);
        Assert.Equal(shape, await Answers.ShapeAsync(await known.LoginAsync(Wrong)));
        Assert.Equal(shape, await Answers.ShapeAsync(await waiting.LoginAsync(Wrong)));
        Assert.Equal(shape, await Answers.ShapeAsync(await new Person(ariya, known.Email.ToUpperInvariant()).LoginAsync(Wrong)));
    }

    [Fact]
    [Trait("Promise", "P22")]
    public async Task TooManyGuessesAreRefusedAlikeForKnownAndUnknownAddresses()
    {
        var shapes = new List<string>();
        foreach (var person in new[] { await Person.WithAccountAsync(ariya), new Person(ariya) })
        {
            person.Ip = Networks.Next();
            for (var guess = 0; guess < SignInCounters.FirstDelayed; guess++)
            {
                Assert.Equal("invalid_credentials", await Person.CodeAsync(await person.LoginAsync(Wrong), HttpStatusCode.Unauthorized));
            }

            var counter = await SignInCounters.OfAsync(ariya, person);
            await counter.SetAsync(failures: 100, TimeSpan.Zero);
            shapes.Add(await Answers.ShapeAsync(await person.LoginAsync(Wrong)));
        }

        Assert.StartsWith("429", shapes[0], StringComparison.Ordinal);
        Assert.Contains("sign_in_delayed", shapes[0], StringComparison.Ordinal);
        Assert.Equal(shapes[0], shapes[1]);
    }

    [Fact]
    public async Task RegisteringAnAddressWithEachGuessIsCountedAsGuessing()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var attacker = new Person(ariya, owner.Email) { Ip = Networks.Next() };
        for (var guess = 0; guess < SignInCounters.FirstDelayed; guess++)
        {
            attacker.Password = $"perhaps it is guess number {guess}";
            Assert.Equal(HttpStatusCode.Accepted, (await attacker.RegisterAsync()).StatusCode);
            Assert.Equal("email_not_verified", await Person.CodeAsync(await attacker.LoginAsync(), HttpStatusCode.Forbidden));
        }

        var counter = await SignInCounters.OfAsync(ariya, attacker);
        Assert.Equal(SignInCounters.FirstDelayed, await counter.FailuresAsync());
        await counter.SetAsync(SignInCounters.FirstDelayed, TimeSpan.FromMinutes(5));
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await attacker.LoginAsync(), HttpStatusCode.TooManyRequests));
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(await attacker.LoginAsync(owner.Password), HttpStatusCode.TooManyRequests));
    }

    [Fact]
    public async Task ADisabledAccountSaysSoOnlyToItsPassword()
    {
        var person = await Person.WithAccountAsync(ariya);
        await ariya.SqlAsync(
            "update accounts set status = 'disabled', auth_epoch = auth_epoch + 1 where email_canonical = $1", person.Email);
        Assert.Equal("account_disabled", await Person.CodeAsync(await person.LoginAsync(), HttpStatusCode.Forbidden));
        var unknown = await Answers.ShapeAsync(await new Person(ariya).LoginAsync(Wrong));
        Assert.Equal(unknown, await Answers.ShapeAsync(await person.LoginAsync(Wrong)));

        var mails = (await person.AllMailsAsync()).Count;
        var asked = await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        Assert.Equal(HttpStatusCode.Accepted, asked.StatusCode);
        Assert.Equal(mails, (await person.AllMailsAsync()).Count);
        Assert.Equal(0, await ariya.SessionsAsync(person));
    }
}
