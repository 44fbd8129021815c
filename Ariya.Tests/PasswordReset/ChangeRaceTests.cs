using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.PasswordReset;

[Collection(RunningAriyaTests.Name)]
public sealed class ChangeRaceTests(RunningAriya ariya)
{
    [Fact]
    public async Task ARefreshThatWaitedBehindAPasswordChangeOfItsOwnSessionLivesOn()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var sessionId = Guid.Parse(tokens.Refresh.Split('.')[1]);
        await using var change = await RowLock.TakeAsync(ariya,
            """
            with a as (
              update accounts set auth_epoch = auth_epoch + 1 where id = (select account_id from sessions where id = $1))
            update sessions set auth_epoch = auth_epoch + 1 where id = $1
            """,
            sessionId);
        var refresh = person.RefreshAsync(tokens.Refresh);
        await change.WaitersAsync(1);
        await change.ReleaseAsync();
        await Person.TokensAsync(await refresh);
    }

    [Fact]
    public async Task AStolenAccessTokenGuessesNoFurtherFromManyNetworks()
    {
        var person = await Person.WithAccountAsync(ariya);
        person.Ip = "198.51.100.1";
        var tokens = await person.SignInAsync();
        var guess = new { currentPassword = "not the password at all", newPassword = "yet another sentence nobody types" };
        for (var network = 1; network <= 10; network++)
        {
            person.Ip = $"203.0.{network}.1";
            Assert.Equal("invalid_credentials", await Person.CodeAsync(
                await person.SendAsync(HttpMethod.Post, "/api/v1/account/password", guess, tokens.Access), HttpStatusCode.Unauthorized));
        }

        person.Ip = "203.0.11.1";
        var right = new { currentPassword = person.Password, newPassword = "yet another sentence nobody types" };
        Assert.Equal("sign_in_delayed", await Person.CodeAsync(
            await person.SendAsync(HttpMethod.Post, "/api/v1/account/password", right, tokens.Access), HttpStatusCode.TooManyRequests));

        // The owner, where the owner signs in.
        person.Ip = "198.51.100.7";
        Assert.Equal(HttpStatusCode.NoContent, (await person.SendAsync(HttpMethod.Post, "/api/v1/account/password", right, tokens.Access)).StatusCode);
    }
}
