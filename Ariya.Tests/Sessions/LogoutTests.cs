using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
[Trait("Promise", "P26")]
public sealed class LogoutTests(RunningAriya ariya)
{
    [Fact]
    public async Task AnyTokenOfTheSessionSignsItOutAndASecondTimeIsHarmless()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var newest = await person.RefreshedAsync(await person.RefreshedAsync(first));
        var other = await person.SignInAsync();

        Assert.Equal(HttpStatusCode.NoContent, await LogoutAsync(person, first.Refresh));
        Assert.Equal(HttpStatusCode.NoContent, await LogoutAsync(person, first.Refresh));
        Assert.Equal(HttpStatusCode.NoContent, await LogoutAsync(person, newest.Refresh));

        await person.AssertEndedAsync(newest);
        Assert.Equal(HttpStatusCode.Unauthorized, (await person.GetAccountAsync(newest.Access, ariya.OtherApi)).StatusCode);
        var session = new SessionRow(ariya, first);
        Assert.Equal("signed_out", await session.GetAsync<string>("revoked_reason"));
        Assert.Equal(1, await session.AuditedAsync("session.signed_out"));
        Assert.Equal(0, await session.TheftMailsAsync());
        await person.RefreshedAsync(other);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("garbage")]
    [InlineData("v1.00000000000070008000000000000000.0.AAAA")]
    public async Task WhateverElseIsSentIsSignedOutToo(string? token) =>
        Assert.Equal(HttpStatusCode.NoContent, await LogoutAsync(new Person(ariya), token));

    [Fact]
    public async Task AForgedTokenSignsNobodyOut()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var last = tokens.Refresh[^2];
        var forged = tokens.Refresh[..^2] + (last == 'A' ? 'B' : 'A') + tokens.Refresh[^1];
        Assert.Equal(HttpStatusCode.NoContent, await LogoutAsync(person, forged));
        await person.RefreshedAsync(tokens);
    }

    private static async Task<HttpStatusCode> LogoutAsync(Person person, string? token) =>
        (await person.PostAsync("/api/v1/auth/logout", new { refreshToken = token })).StatusCode;
}
