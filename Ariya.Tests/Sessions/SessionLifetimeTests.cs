using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
[Trait("Promise", "P28")]
public sealed class SessionLifetimeTests(RunningAriya ariya)
{
    [Theory]
    [InlineData("idle_expires_at")]
    [InlineData("expires_at")]
    public async Task ASessionThatIsPastOneOfItsEndsIsOver(string end)
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var session = new SessionRow(ariya, tokens);
        await session.SetAsync($"{end} = clock_timestamp() + interval '60 seconds'");
        tokens = await person.RefreshedAsync(tokens);

        await session.SetAsync($"{end} = clock_timestamp()");
        await person.AssertEndedAsync(tokens);
        Assert.Equal(HttpStatusCode.Unauthorized, (await person.GetAccountAsync(tokens.Access, ariya.OtherApi)).StatusCode);
        Assert.Equal(1, await session.GetAsync<long>("generation"));
        Assert.Equal(0, await session.TheftMailsAsync());
    }

    [Fact]
    public async Task ARefreshMovesTheIdleEndAndNeverTheAbsoluteOne()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var session = new SessionRow(ariya, tokens);
        await session.SetAsync("idle_expires_at = idle_expires_at - interval '1 day'");
        var idleEnd = await session.GetAsync<DateTime>("idle_expires_at");
        var absoluteEnd = await session.GetAsync<DateTime>("expires_at");

        await person.RefreshedAsync(tokens);
        Assert.True(await session.GetAsync<DateTime>("idle_expires_at") > idleEnd.AddHours(23));
        Assert.Equal(absoluteEnd, await session.GetAsync<DateTime>("expires_at"));
    }

    [Fact]
    public async Task NoTokenOutlivesItsSession()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        Assert.InRange((int)tokens.Body["refreshExpiresIn"]!, 14 * 86400 - 1, 14 * 86400);
        await new SessionRow(ariya, tokens).SetAsync("expires_at = clock_timestamp() + interval '2 minutes'");
        tokens = await person.RefreshedAsync(tokens);
        Assert.InRange((int)tokens.Body["expiresIn"]!, 1, 120);
        Assert.InRange((int)tokens.Body["refreshExpiresIn"]!, 1, 120);
    }
}
