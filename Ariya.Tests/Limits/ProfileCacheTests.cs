using System.Net;
using System.Text.Json.Nodes;
using Ariya.Api.Accounts;
using Ariya.Api.Redis;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Limits;

/// <summary>Profiles in Redis: only shown, only at the version that PostgreSQL names.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class ProfileCacheTests(ServerRoom server) : IAsyncLifetime
{
    private Room _room = null!;
    private ApiHost _host = null!;
    private HttpClient _api = null!;
    private string _email = "";
    private Guid _id;
    private string _token = "";

    public async Task InitializeAsync()
    {
        _room = await server.OpenAsync();
        _host = _room.StartApi(server.Redis.ConnectionString);
        _api = _host.CreateClient();
        await Conditions.UntilRedisAsync(_api, "healthy");
        _email = await _room.AddAccountAsync();
        _id = await _room.ScalarAsync<Guid>("select id from accounts");
        _token = (await Person.TokensAsync(await _api.LoginAsync(_email))).Access;
        await KeptAsync("1");
    }

    public async Task DisposeAsync() => await _room.DisposeAsync();

    private string Key => _host.Services.GetRequiredService<ProfileCache>().KeyOf(_id).ToString();

    [Fact]
    public async Task ItHoldsForAnHourWhatIsShownAndNothingThatDecides()
    {
        Assert.InRange((long)await server.Redis.CommandAsync("PTTL", Key), 3_590_000, 3_600_000);
        var profile = JsonNode.Parse((string)(await server.Redis.CommandAsync("HGET", Key, "profile"))!)!.AsObject();
        Assert.Equal(["firstName", "lastName", "locale", "vendor"], profile.Select(member => member.Key));
        Assert.DoesNotContain(_id.ToString(), Key, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task WhatItSaysCountsAtTheVersionOfTheDatabaseAndOnlyForShow()
    {
        await PlantAsync("1", """{"firstName":"Cached","lastName":"Hopper","locale":null,"vendor":null,"roles":["admin"],"status":"active","email":"other@example.com"}""");
        var account = await AccountAsync();
        Assert.Equal(("Cached", _email, 0), ((string?)account["firstName"], (string?)account["email"], account["roles"]!.AsArray().Count));

        await _room.SqlAsync("update accounts set first_name = 'Newer', version = 2");
        Assert.Equal("Newer", (string?)(await AccountAsync())["firstName"]);
        await KeptAsync("2");

        // Whatever lies there, a disabled account is refused.
        await _room.SqlAsync("update accounts set status = 'disabled'");
        using var refused = await GetAsync();
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
    }

    [Fact]
    public async Task AnOlderProfileNeverReplacesANewer()
    {
        var cache = _host.Services.GetRequiredService<ProfileCache>();
        AccountBody Named(string name) => new(_id, _email, name, "Hopper", true, [], null, null);
        cache.Keep(Named("third"), 3);
        await KeptAsync("3");
        cache.Keep(Named("second"), 2);
        cache.Keep(Named("fourth"), 4);
        await KeptAsync("4");
        cache.Keep(Named("third again"), 3);
        // On one connection after it: done when this is.
        await _host.Services.GetRequiredService<RedisCalls>().CallAsync(database => database.ExecuteAsync("PING"));
        Assert.Equal("fourth", (await cache.FindAsync(_id))!.Value.Profile.FirstName);
    }

    [Theory]
    [InlineData("2", "not json")]
    [InlineData("1", "not json")]
    [InlineData("one", "{}")]
    [InlineData("1", "null")]
    [InlineData("1", "{}")]
    [InlineData("1", """{"firstName":null,"lastName":"Hopper","locale":null,"vendor":null}""")]
    [InlineData("99999999999", """{"firstName":"Cached","lastName":"Hopper","locale":null,"vendor":null}""")]
    public async Task NonsenseUnderItsKeyIsNoProfile(string version, string profile)
    {
        await PlantAsync(version, profile);
        Assert.Equal("Grace", (string?)(await AccountAsync())["firstName"]);
    }

    [Fact]
    public async Task AValueOfAnotherTypeIsReplaced()
    {
        await server.Redis.CommandAsync("SET", Key, "something else");
        Assert.Equal("Grace", (string?)(await AccountAsync())["firstName"]);
        await KeptAsync("1");
    }

    private async Task PlantAsync(string version, string profile)
    {
        await server.Redis.CommandAsync("DEL", Key);
        await server.Redis.CommandAsync("HSET", Key, "version", version, "profile", profile);
    }

    private Task<string> KeptAsync(string version) => Wait.UntilAsync($"version {version} in Redis", TimeSpan.FromSeconds(10), async () =>
    {
        try
        {
            return (string?)await server.Redis.CommandAsync("HGET", Key, "version") == version ? version : null;
        }
        catch (StackExchange.Redis.RedisServerException)
        {
            return null;
        }
    });

    // Instances of these tests have no watch over changes, so that every request asks.
    private async Task<JsonNode> AccountAsync()
    {
        using var answer = await GetAsync();
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == HttpStatusCode.OK, text);
        return JsonNode.Parse(text)!;
    }

    private Task<HttpResponseMessage> GetAsync() => _api.CallAsync(HttpMethod.Get, "/api/v1/account", token: _token);
}
