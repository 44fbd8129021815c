using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Tests.Sessions;

/// <summary>What a change of the signing key is to those who hold tokens. Instances are new at each step: a running one reads the keys once a minute.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class KeyRotationTests(ServerRoom server) : IAsyncLifetime
{
    private Room _room = null!;

    public async Task InitializeAsync() => _room = await server.OpenAsync();

    public async Task DisposeAsync() => await _room.DisposeAsync();

    [Fact]
    [Trait("Promise", "P32")]
    public async Task ATokenOutlivesTheRotationOfItsKeyAndNotItsRemoval()
    {
        var email = await _room.AddAccountAsync();
        var api = StartApi();
        var old = await Person.TokensAsync(await api.LoginAsync(email));
        Assert.Equal([KidOf(old)], await PublishedAsync(api));

        // In time: the new key is published and does not sign yet.
        await RotateAsync();
        api = StartApi();
        var published = await PublishedAsync(api);
        Assert.Equal(2, published.Count);
        Assert.Contains(KidOf(old), published);
        Assert.Equal(KidOf(old), KidOf(await Person.TokensAsync(await api.LoginAsync(email))));
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, old));

        await MakeNewKeySignAsync(KidOf(old));
        api = StartApi();
        var young = await Person.TokensAsync(await api.LoginAsync(email));
        Assert.NotEqual(KidOf(old), KidOf(young));
        Assert.Equal(new[] { KidOf(old), KidOf(young) }.Order(), (await PublishedAsync(api)).Order());
        Assert.Equal((HttpStatusCode.OK, HttpStatusCode.OK), (await StatusAsync(api, old), await StatusAsync(api, young)));

        // When somebody else may know them: what they signed is refused, and who holds a refresh token goes on.
        await RotateAsync("--now");
        api = StartApi();
        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.Unauthorized), (await StatusAsync(api, old), await StatusAsync(api, young)));
        using var refreshed = await api.CallAsync(HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = young.Refresh });
        var newest = await Person.TokensAsync(refreshed);
        Assert.Equal([KidOf(newest)], await PublishedAsync(api));
        Assert.DoesNotContain(KidOf(newest), new[] { KidOf(old), KidOf(young) });
        Assert.Equal(HttpStatusCode.OK, await StatusAsync(api, newest));
    }

    private HttpClient StartApi() => _room.StartApi(server.Redis.ConnectionString).CreateClient();

    private async Task RotateAsync(params string[] arguments)
    {
        await using var rotate = await WorkerProcess.CommandAsync(_room.Connection, ["rotate-keys", .. arguments], null, ("JWT_SECRET", ApiHost.JwtSecret));
        Assert.True(rotate.ExitCode == 0, rotate.Output);
    }

    /// <summary>Fifteen minutes later: a row's times are sealed with it, so the waiting key makes room for one whose time has come.</summary>
    private async Task MakeNewKeySignAsync(string old)
    {
        var secrets = new SecretKeys([ApiHost.JwtSecret]);
        var now = await _room.ScalarAsync<DateTime>("select clock_timestamp()");
        await _room.SqlAsync("delete from signing_keys where kid <> $1", old);
        await using var db = new AriyaDbContext(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql(_room.Connection).Options);
        db.SigningKeys.Add(SigningKeySeal.Create(secrets, now - TimeSpan.FromSeconds(1)));
        await db.SaveChangesAsync();
        await using var source = NpgsqlDataSource.Create(_room.Connection);
        Assert.Equal(1, (await SigningKeyTable.MaintainAsync(new AriyaDatabase(source), secrets, CancellationToken.None)).Retired);
    }

    private static string KidOf(Tokens tokens) => (string)TokenForge.Decode(tokens.Access.Split('.')[0])["kid"]!;

    private static async Task<List<string>> PublishedAsync(HttpClient api)
    {
        using var answer = await api.GetAsync(new Uri("/.well-known/jwks.json", UriKind.Relative));
        return [.. (await answer.Content.ReadFromJsonAsync<JsonNode>())!["keys"]!.AsArray().Select(key => (string)key!["kid"]!)];
    }

    private static async Task<HttpStatusCode> StatusAsync(HttpClient api, Tokens tokens)
    {
        using var answer = await api.CallAsync(HttpMethod.Get, "/api/v1/account", token: tokens.Access);
        return answer.StatusCode;
    }
}
