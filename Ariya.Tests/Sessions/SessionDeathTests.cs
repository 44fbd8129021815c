using System.Diagnostics;
using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;
using Xunit.Abstractions;

namespace Ariya.Tests.Sessions;

/// <summary>What one instance does is known to the other within 2 s, although it holds the token checked and asks nobody.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class SessionDeathTests(RunningAriya ariya, ITestOutputHelper output)
{
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(2);

    [Fact]
    [Trait("Promise", "P26")]
    public Task ASignOutIsKnownElsewhere() => AssertDiesAsync(async (person, victim) =>
        (await person.PostAsync("/api/v1/auth/logout", new { refreshToken = victim.Refresh })).EnsureSuccessStatusCode());

    [Fact]
    [Trait("Promise", "P27")]
    public Task AnEndedSessionIsKnownElsewhere() => AssertDiesAsync(async (person, victim) =>
    {
        var other = await person.SignInAsync();
        var answer = await person.SendAsync(
            HttpMethod.Delete, $"/api/v1/account/sessions/{new SessionRow(ariya, victim).Id}", null, other.Access);
        answer.EnsureSuccessStatusCode();
    });

    [Fact]
    [Trait("Promise", "P18")]
    public Task AResetIsKnownElsewhere() => AssertDiesAsync(async (person, _) =>
    {
        await person.PostAsync("/api/v1/auth/forgot-password", new { email = person.Email });
        var token = (await person.MailAsync("Choose a new password")).Token;
        var answer = await person.PostAsync("/api/v1/auth/reset-password", new { token, password = "another sentence of hers" });
        answer.EnsureSuccessStatusCode();
    });

    [Fact]
    public Task AChangeOfPasswordIsKnownElsewhere() => AssertDiesAsync(async (person, _) =>
    {
        var other = await person.SignInAsync();
        var answer = await person.SendAsync(HttpMethod.Post, "/api/v1/account/password",
            new { currentPassword = person.Password, newPassword = "another sentence of hers" }, other.Access);
        answer.EnsureSuccessStatusCode();
    });

    [Fact]
    [Trait("Promise", "P24")]
    public Task AReuseIsKnownElsewhere() => AssertDiesAsync(async (person, victim) =>
    {
        await person.RefreshedAsync(victim);
        await new SessionRow(ariya, victim).RotatedAgoAsync("30 seconds");
        await person.AssertEndedAsync(victim);
    });

    [Fact]
    public Task ADisabledAccountIsKnownElsewhere() => AssertDiesAsync(async (person, _) => Assert.Equal(1, await ariya.SqlAsync(
        "update accounts set status = 'disabled', auth_epoch = auth_epoch + 1, updated_at = clock_timestamp() where email_canonical = $1",
        person.Email)));

    [Fact]
    public async Task AChangedProfileIsSeenElsewhere()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        await ariya.WarmUpAsync(tokens, ariya.OtherApi);
        var answer = await person.SendAsync(HttpMethod.Patch, "/api/v1/account", new { firstName = "Ada" }, tokens.Access);
        answer.EnsureSuccessStatusCode();
        await AssertWithinBoundAsync(async () =>
        {
            var seen = await person.GetAccountAsync(tokens.Access, ariya.OtherApi);
            return (string?)(await seen.Content.ReadFromJsonAsync<JsonObject>())!["firstName"] == "Ada";
        });
    }

    private async Task AssertDiesAsync(Func<Person, Tokens, Task> end)
    {
        var person = await Person.WithAccountAsync(ariya);
        var victim = await person.SignInAsync();
        await ariya.WarmUpAsync(victim, ariya.OtherApi);
        await end(person, victim);
        await AssertWithinBoundAsync(async () =>
        {
            var answer = await person.GetAccountAsync(victim.Access, ariya.OtherApi);
            Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.OK, HttpStatusCode.Unauthorized });
            return answer.StatusCode == HttpStatusCode.Unauthorized;
        });
        Assert.Equal(HttpStatusCode.Unauthorized, (await person.GetAccountAsync(victim.Access)).StatusCode);
        await person.AssertEndedAsync(victim);
    }

    // Whatever is asked later than the bound after the change has to know it; how long an answer takes does not count.
    private async Task AssertWithinBoundAsync(Func<Task<bool>> knows)
    {
        var since = Stopwatch.StartNew();
        await Wait.UntilAsync("the other instance to know", s_bound * 5, async () =>
        {
            var asked = since.Elapsed;
            var isKnown = await knows();
            Assert.True(isKnown || asked < s_bound, $"Not known {asked.TotalMilliseconds:0} ms after the change.");
            return isKnown ? knows : null;
        });
        output.WriteLine($"Known after {since.ElapsedMilliseconds} ms.");
    }
}
