using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
public sealed class RefreshRaceTests(RunningAriya ariya)
{
    [Theory]
    [Trait("Promise", "P25")]
    [InlineData(false)]
    [InlineData(true)]
    public async Task FiftyRefreshesOfOneTokenHaveOneSuccessor(bool isSpreadOverInstances)
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(number =>
            person.TryRefreshAsync(first, api: isSpreadOverInstances && number % 2 == 1 ? ariya.OtherApi : ariya.Api)));
        var tokens = await Task.WhenAll(answers.Select(Person.TokensAsync));

        var session = new SessionRow(ariya, first);
        Assert.Single(tokens.Select(token => token.Refresh).Distinct());
        Assert.Equal(1, await session.GetAsync<long>("generation"));
        Assert.Equal(49, await session.AuditedAsync("session.refresh_repeated"));
        Assert.Equal(0, await session.TheftMailsAsync());
        await person.RefreshedAsync(tokens[0]);
    }

    [Fact]
    [Trait("Promise", "P24")]
    public async Task FiftyLateUsesOfAnOldTokenEndTheSessionOnce()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        await person.RefreshedAsync(first);
        var session = new SessionRow(ariya, first);
        await session.RotatedAgoAsync("31 seconds");
        var answers = await Task.WhenAll(Enumerable.Range(0, 50).Select(number =>
            person.TryRefreshAsync(first, api: number % 2 == 1 ? ariya.OtherApi : ariya.Api)));

        Assert.All(answers, answer => Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode));
        Assert.Equal(1, await session.AuditedAsync("session.refresh_reused"));
        Assert.Equal(1, await session.TheftMailsAsync());
    }

    [Fact]
    [Trait("Promise", "P26")]
    public async Task ARaceOfASignOutAndRefreshesLeavesNothingAlive()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var refreshes = Enumerable.Range(0, 10).Select(_ => person.TryRefreshAsync(first)).ToList();
        var logout = await person.PostAsync("/api/v1/auth/logout", new { refreshToken = first.Refresh });
        Assert.Equal(HttpStatusCode.NoContent, logout.StatusCode);
        foreach (var answer in await Task.WhenAll(refreshes))
        {
            if (answer.StatusCode == HttpStatusCode.OK)
            {
                await person.AssertEndedAsync(await Person.TokensAsync(answer));
            }
            else
            {
                Assert.Equal("session_ended", await Person.CodeAsync(answer, HttpStatusCode.Unauthorized));
            }
        }

        Assert.Equal("signed_out", await new SessionRow(ariya, first).GetAsync<string>("revoked_reason"));
    }
}
