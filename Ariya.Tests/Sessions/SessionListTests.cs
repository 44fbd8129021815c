using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
[Trait("Promise", "P27")]
public sealed class SessionListTests(RunningAriya ariya)
{
    private const string Sessions = "/api/v1/account/sessions";

    [Fact]
    public async Task TheListShowsTheOwnSessionsWithTheirNetworkAndNotTheirAddress()
    {
        var owner = await Person.WithAccountAsync(ariya);
        owner.Ip = "198.51.100.77";
        var tokens = await owner.SignInAsync();
        var phone = owner.Elsewhere(ariya, "203.0.113.5", "Phone/1.0");
        var phoneTokens = await phone.SignInAsync();
        var stranger = await Person.WithAccountAsync(ariya);
        await stranger.SignInAsync();

        var listed = await ListAsync(owner, tokens);
        Assert.Equal([IdOf(phoneTokens), IdOf(tokens)], listed.Select(session => (string)session["id"]!));
        Assert.Equal([false, true], listed.Select(session => (bool)session["current"]!));
        Assert.Equal(["203.0.113.0/24", "198.51.100.0/24"], listed.Select(session => (string)session["ip"]!));
        Assert.Equal("Phone/1.0", (string)listed[0]["userAgent"]!);
        Assert.All(listed, session => Assert.Equal(
            ["id", "current", "createdAt", "lastUsedAt", "userAgent", "ip"], session.Select(member => member.Key)));
    }

    [Fact]
    public async Task EndingOneSessionEndsThatOneAlone()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var tokens = await owner.SignInAsync();
        var lost = await owner.SignInAsync();
        var kept = await owner.SignInAsync();

        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(owner, tokens, IdOf(lost))).StatusCode);
        Assert.Equal("not_found", await Person.CodeAsync(await DeleteAsync(owner, tokens, IdOf(lost)), HttpStatusCode.NotFound));
        await owner.AssertEndedAsync(lost);
        Assert.Equal(1, await new SessionRow(ariya, lost).AuditedAsync("session.ended"));
        Assert.Equal([IdOf(kept), IdOf(tokens)], (await ListAsync(owner, tokens)).Select(session => (string)session["id"]!));
        await owner.RefreshedAsync(kept);
    }

    [Fact]
    public async Task EndingTheOthersKeepsTheOneThatAsks()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var others = new[] { await owner.SignInAsync(), await owner.SignInAsync() };
        var tokens = await owner.SignInAsync();
        var stranger = await Person.WithAccountAsync(ariya);
        var strangersTokens = await stranger.SignInAsync();

        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(owner, tokens)).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await DeleteAsync(owner, tokens)).StatusCode);
        foreach (var other in others)
        {
            await owner.AssertEndedAsync(other);
            Assert.Equal(0, await new SessionRow(ariya, other).TheftMailsAsync());
        }

        await owner.RefreshedAsync(tokens);
        await stranger.RefreshedAsync(strangersTokens);
    }

    [Fact]
    public async Task AnotherAccountsSessionIsAsUnknownAsNone()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var ownersTokens = await owner.SignInAsync();
        var stranger = await Person.WithAccountAsync(ariya);
        var tokens = await stranger.SignInAsync();

        var foreign = await DeleteAsync(stranger, tokens, IdOf(ownersTokens));
        var none = await DeleteAsync(stranger, tokens, Guid.CreateVersion7().ToString());
        Assert.Equal("not_found", await Person.CodeAsync(foreign, HttpStatusCode.NotFound));
        Assert.Equal("not_found", await Person.CodeAsync(none, HttpStatusCode.NotFound));
        await owner.RefreshedAsync(ownersTokens);
    }

    [Fact]
    public async Task SessionsThatAreOverAreNotListed()
    {
        var owner = await Person.WithAccountAsync(ariya);
        var tokens = await owner.SignInAsync();
        string[] changes = ["idle_expires_at = clock_timestamp()", "expires_at = clock_timestamp()", "auth_epoch = auth_epoch - 1"];
        foreach (var change in changes)
        {
            await new SessionRow(ariya, await owner.SignInAsync()).SetAsync(change);
        }

        Assert.Equal([IdOf(tokens)], (await ListAsync(owner, tokens)).Select(session => (string)session["id"]!));
    }

    private static string IdOf(Tokens tokens) => Guid.ParseExact(tokens.Refresh.Split('.')[1], "N").ToString();

    private static async Task<List<JsonObject>> ListAsync(Person person, Tokens tokens)
    {
        var answer = await person.SendAsync(HttpMethod.Get, Sessions, null, tokens.Access);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        return [.. (await answer.Content.ReadFromJsonAsync<JsonObject>())!["sessions"]!.AsArray().Select(session => session!.AsObject())];
    }

    private static Task<HttpResponseMessage> DeleteAsync(Person person, Tokens tokens, string? id = null) =>
        person.SendAsync(HttpMethod.Delete, id is null ? Sessions : $"{Sessions}/{id}", null, tokens.Access);
}
