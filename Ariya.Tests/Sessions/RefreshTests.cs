using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
public sealed class RefreshTests(RunningAriya ariya)
{
    [Fact]
    [Trait("Promise", "P01")]
    [Trait("Promise", "P23")]
    public async Task ARefreshGivesANewPairThatWorks()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var answer = await person.TryRefreshAsync(first);
        Assert.True(answer.Headers.CacheControl?.NoStore);
        var second = await Person.TokensAsync(answer);
        var third = await person.RefreshedAsync(second);

        Assert.Equal(3, new[] { first.Refresh, second.Refresh, third.Refresh }.Distinct().Count());
        Assert.Equal(3, new[] { first.Access, second.Access, third.Access }.Distinct().Count());
        Assert.Equal(HttpStatusCode.OK, (await person.GetAccountAsync(third.Access)).StatusCode);
        Assert.Equal(2, await new SessionRow(ariya, first).GetAsync<long>("generation"));
    }

    [Fact]
    [Trait("Promise", "P23")]
    [Trait("Promise", "P24")]
    public async Task AnOldTokenAfterTheGraceEndsTheSessionAndTellsTheOwnerOnce()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var newest = await person.RefreshedAsync(first);
        var session = new SessionRow(ariya, first);
        await session.RotatedAgoAsync("30 seconds");

        await person.AssertEndedAsync(first);
        await person.AssertEndedAsync(newest);
        await person.AssertEndedAsync(first);
        // Never shown to this instance before, so nothing it holds can speak for the token.
        Assert.Equal(HttpStatusCode.Unauthorized, (await person.GetAccountAsync(newest.Access, ariya.OtherApi)).StatusCode);

        Assert.Equal("reuse", await session.GetAsync<string>("revoked_reason"));
        Assert.Equal(1, await session.AuditedAsync("session.refresh_reused"));
        Assert.Equal(1, await session.TheftMailsAsync());
        var mail = await person.MailAsync("An old sign-in was used again");
        Assert.DoesNotContain("v1.", mail.Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ASessionThatIsReusedTakesNoOtherSessionWithIt()
    {
        var person = await Person.WithAccountAsync(ariya);
        var stolen = await person.SignInAsync();
        var other = await person.SignInAsync();
        await person.RefreshedAsync(stolen);
        await new SessionRow(ariya, stolen).RotatedAgoAsync("30 seconds");
        await person.AssertEndedAsync(stolen);
        await person.RefreshedAsync(other);
    }

    [Fact]
    public async Task TheDirectParentWithinTheGraceGetsTheSameSuccessor()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var successor = await person.RefreshedAsync(first);
        var session = new SessionRow(ariya, first);
        await session.RotatedAgoAsync("20 seconds");
        await session.SetAsync("idle_expires_at = idle_expires_at - interval '1 hour'");
        var idleEnd = await session.GetAsync<DateTime>("idle_expires_at");

        var again = await person.RefreshedAsync(first);
        Assert.Equal(successor.Refresh, again.Refresh);
        Assert.Equal(HttpStatusCode.OK, (await person.GetAccountAsync(again.Access)).StatusCode);
        Assert.Equal(1, await session.AuditedAsync("session.refresh_repeated"));
        Assert.Equal(0, await session.TheftMailsAsync());
        Assert.Equal(idleEnd, await session.GetAsync<DateTime>("idle_expires_at"));
    }

    [Fact]
    [Trait("Promise", "P24")]
    public async Task ATokenOlderThanTheParentEndsTheSessionAlsoWithinTheGrace()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var newest = await person.RefreshedAsync(await person.RefreshedAsync(first));
        await person.AssertEndedAsync(first);
        await person.AssertEndedAsync(newest);
        Assert.Equal(1, await new SessionRow(ariya, first).TheftMailsAsync());
    }

    [Theory]
    [InlineData("23 hours 59 minutes", "the key of the exchange", true)]
    [InlineData("24 hours", "the key of the exchange", false)]
    [InlineData("23 hours 59 minutes", "another key", false)]
    [InlineData("23 hours 59 minutes", null, false)]
    public async Task OnlyTheIdempotencyKeyOfTheExchangeRepeatsItWithinADay(string ago, string? key, bool isRepeated)
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var successor = await person.RefreshedAsync(first, "the-key-of-the-exchange");
        await new SessionRow(ariya, first).RotatedAgoAsync(ago);
        key = key?.Replace(' ', '-');
        if (isRepeated)
        {
            Assert.Equal(successor.Refresh, (await person.RefreshedAsync(first, key)).Refresh);
        }
        else
        {
            await person.AssertEndedAsync(first, key);
            await person.AssertEndedAsync(successor);
        }
    }

    [Fact]
    public async Task TheIdempotencyKeyDoesNotRepeatWhatWasExchangedFurther()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var newest = await person.RefreshedAsync(await person.RefreshedAsync(first, "key-of-the-exchange"));
        await person.AssertEndedAsync(first, "key-of-the-exchange");
        await person.AssertEndedAsync(newest);
    }

    [Theory]
    [InlineData("")]
    [InlineData("v1.0.0.0")]
    [InlineData("not a token at all")]
    [InlineData("v1.00000000000070008000000000000000.0.AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA")]
    public async Task WhatIsNoTokenOfOursIsRefusedAndChangesNothing(string token)
    {
        var person = new Person(ariya);
        var answer = await person.RefreshAsync(token);
        if (token.Length == 0)
        {
            Assert.Equal("validation_failed", await Person.CodeAsync(answer, HttpStatusCode.BadRequest));
        }
        else
        {
            Assert.Equal("session_ended", await Person.CodeAsync(answer, HttpStatusCode.Unauthorized));
        }
    }
}
