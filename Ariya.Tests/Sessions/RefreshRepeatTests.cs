using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

/// <summary>Who may have the same successor again within the grace: the owner's second tab, and not a thief who hurries.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class RefreshRepeatTests(RunningAriya ariya)
{
    private const string Home = "198.51.100.7";
    private const string Away = "203.0.113.9";
    private const string OtherBrowser = "curl/8.5.0";

    [Theory]
    [InlineData(Home, null, true)]
    [InlineData("198.51.100.200", null, true)]
    [InlineData(Home, OtherBrowser, true)]
    [InlineData(Away, null, true)]
    [InlineData(Away, OtherBrowser, false)]
    public async Task ARepeatFromAnotherNetworkAndAnotherBrowserIsAThiefs(string ip, string? userAgent, bool isRepeated)
    {
        var (owner, first) = await AtHomeAsync();
        var successor = await owner.RefreshedAsync(first);
        var repeater = owner.Elsewhere(ariya, ip, userAgent);
        if (isRepeated)
        {
            Assert.Equal(successor.Refresh, (await repeater.RefreshedAsync(first)).Refresh);
        }
        else
        {
            await repeater.AssertEndedAsync(first);
            await owner.AssertEndedAsync(successor);
            Assert.Equal(1, await new SessionRow(ariya, first).TheftMailsAsync());
        }
    }

    [Fact]
    public async Task ARepeatFromAnotherNetworkTwiceRunningIsAThiefs()
    {
        var (owner, first) = await AtHomeAsync();
        var rider = owner.Elsewhere(ariya, Away);
        var second = await owner.RefreshedAsync(first);
        await rider.RefreshedAsync(first);
        var third = await owner.RefreshedAsync(second);
        await rider.AssertEndedAsync(second);
        await owner.AssertEndedAsync(third);
        Assert.Equal(1, await new SessionRow(ariya, first).TheftMailsAsync());
    }

    [Fact]
    public async Task ARepeatFromAnotherNetworkNowAndThenIsNot()
    {
        var (owner, first) = await AtHomeAsync();
        var train = owner.Elsewhere(ariya, Away);
        var second = await owner.RefreshedAsync(first);
        await train.RefreshedAsync(first);
        await train.RefreshedAsync(first);
        var third = await owner.RefreshedAsync(second);
        var fourth = await owner.RefreshedAsync(third);
        Assert.Equal(fourth.Refresh, (await train.RefreshedAsync(third)).Refresh);
    }

    [Fact]
    public async Task TheIdempotencyKeyRepeatsFromAnywhere()
    {
        var (owner, first) = await AtHomeAsync();
        var successor = await owner.RefreshedAsync(first, "key-of-the-exchange");
        var phone = owner.Elsewhere(ariya, Away, OtherBrowser);
        Assert.Equal(successor.Refresh, (await phone.RefreshedAsync(first, "key-of-the-exchange")).Refresh);
    }

    private async Task<(Person Owner, Tokens Tokens)> AtHomeAsync()
    {
        var owner = await Person.WithAccountAsync(ariya);
        owner.Ip = Home;
        return (owner, await owner.SignInAsync());
    }
}
