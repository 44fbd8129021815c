using System.Buffers.Text;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
public sealed class AccessTokenTests(RunningAriya ariya)
{
    [Fact]
    public async Task ATokenSaysWhoAndForHowLongAndNothingElse()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        using var forge = await TokenForge.OfAsync(ariya, tokens);

        Assert.Equal(["alg", "kid", "typ"], forge.Header.Select(member => member.Key).Order(StringComparer.Ordinal));
        Assert.Equal("ES256", (string?)forge.Header["alg"]);
        Assert.Equal("at+jwt", (string?)forge.Header["typ"]);
        Assert.Equal(
            ["aud", "exp", "iat", "iss", "jti", "nbf", "sid", "sub"],
            forge.Payload.Select(member => member.Key).Order(StringComparer.Ordinal));
        Assert.Equal(600, (long)forge.Payload["exp"]! - (long)forge.Payload["iat"]!);
        Assert.Equal("ariya", (string?)forge.Payload["aud"]);
        Assert.Equal(ariya.Api.BaseAddress!.GetLeftPart(UriPartial.Authority), ((string?)forge.Payload["iss"])?.TrimEnd('/'));
        Assert.Equal((string?)tokens.Body["account"]!["id"], (string?)forge.Payload["sub"]);
        Assert.Equal(new SessionRow(ariya, tokens).Id.ToString(), (string?)forge.Payload["sid"]);

        using var second = await TokenForge.OfAsync(ariya, await person.RefreshedAsync(tokens));
        Assert.NotEqual((string?)forge.Payload["jti"], (string?)second.Payload["jti"]);
        Assert.Equal((string?)forge.Payload["sid"], (string?)second.Payload["sid"]);
    }

    [Fact]
    [Trait("Promise", "P30")]
    public async Task OnlyTheDeploymentsKeySigns()
    {
        using var forge = await ForgeAsync();
        await AssertAcceptedAsync(forge.Signed());
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        await AssertRefusedAsync(forge.Signed(stranger));

        forge.Payload["exp"] = (long)forge.Payload["exp"]! + 1;
        await AssertRefusedAsync(forge.WithItsOldSignature());

        forge.Header["alg"] = "none";
        var unsigned = $"{TokenForge.Encode(forge.Header)}.{TokenForge.Encode(forge.Payload)}.";
        await AssertRefusedAsync(unsigned);
        await AssertRefusedAsync(unsigned.TrimEnd('.'));
        await AssertRefusedAsync(forge.Signed());

        forge.Header["alg"] = "HS256";
        var text = $"{TokenForge.Encode(forge.Header)}.{TokenForge.Encode(forge.Payload)}";
        var mac = HMACSHA256.HashData(forge.Key.ExportSubjectPublicKeyInfo(), Encoding.ASCII.GetBytes(text));
        await AssertRefusedAsync($"{text}.{Base64Url.EncodeToString(mac)}");
    }

    [Fact]
    [Trait("Promise", "P30")]
    public async Task AKeyThatTheTokenBringsAlongIsNotAsked()
    {
        using var forge = await ForgeAsync();
        using var stranger = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var point = stranger.ExportParameters(includePrivateParameters: false).Q;
        forge.Header["jwk"] = new JsonObject
        {
            ["kty"] = "EC",
            ["crv"] = "P-256",
            ["x"] = Base64Url.EncodeToString(point.X),
            ["y"] = Base64Url.EncodeToString(point.Y),
        };
        forge.Header["jku"] = $"http://{listener.LocalEndpoint}/jwks.json";
        forge.Header["x5u"] = $"http://{listener.LocalEndpoint}/certificate.pem";

        await AssertRefusedAsync(forge.Signed(stranger));
        await AssertAcceptedAsync(forge.Signed());
        forge.Header["kid"] = "another";
        await AssertRefusedAsync(forge.Signed(stranger));
        await AssertRefusedAsync(forge.Signed());
        Assert.False(listener.Pending());
    }

    [Theory]
    [Trait("Promise", "P31")]
    [InlineData("iss", "http://localhost:1")]
    [InlineData("iss", null)]
    [InlineData("aud", "another")]
    [InlineData("aud", null)]
    [InlineData("exp", null)]
    [InlineData("nbf", null)]
    [InlineData("sid", null)]
    [InlineData("sid", "00000000-0000-7000-8000-000000000000")]
    [InlineData("sub", null)]
    [InlineData("sub", "00000000-0000-7000-8000-000000000000")]
    public async Task ASignedTokenWithAnotherClaimIsRefused(string claim, string? value)
    {
        using var forge = await ForgeAsync();
        Change(forge.Payload, claim, value);
        await AssertRefusedAsync(forge.Signed());
    }

    [Theory]
    [Trait("Promise", "P31")]
    [InlineData("JWT")]
    [InlineData("refresh+jwt")]
    [InlineData(null)]
    public async Task ASignedTokenOfAnotherTypeIsRefused(string? type)
    {
        using var forge = await ForgeAsync();
        Change(forge.Header, "typ", type);
        await AssertRefusedAsync(forge.Signed());
    }

    // Ten seconds of skew, and not the library's five minutes.
    [Theory]
    [Trait("Promise", "P31")]
    [InlineData(-600, -10, false)]
    [InlineData(-600, -3, true)]
    [InlineData(7, 600, true)]
    [InlineData(60, 600, false)]
    public async Task ATokenIsGoodFromItsFirstSecondToItsLast(int notBefore, int expires, bool isAccepted)
    {
        using var forge = await ForgeAsync();
        var now = TimeProvider.System.GetUtcNow().ToUnixTimeSeconds();
        forge.Payload["nbf"] = now + notBefore;
        forge.Payload["exp"] = now + expires;
        await (isAccepted ? AssertAcceptedAsync(forge.Signed()) : AssertRefusedAsync(forge.Signed()));
    }

    [Fact]
    [Trait("Promise", "P31")]
    public async Task NothingButAnAccessTokenIsABearerToken()
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        var mailed = (await person.MailAsync("Confirm your e-mail address")).Token;
        await person.VerifyAsync(mailed);
        var tokens = await person.SignInAsync();
        var twice = new[] { $"{tokens.Access}.{tokens.Access}", $"{tokens.Access}, Bearer {tokens.Access}" };
        foreach (var token in new[] { tokens.Refresh, mailed, "", ".", "..", "a.b.c" }.Concat(twice))
        {
            await AssertRefusedAsync(token);
        }

        using var forge = await TokenForge.OfAsync(ariya, tokens);
        forge.Payload["padding"] = new string('x', 2048);
        await AssertRefusedAsync(forge.Signed());

        var nobody = await person.SendAsync(HttpMethod.Get, "/api/v1/account", null);
        Assert.Equal("unauthenticated", await Person.CodeAsync(nobody, HttpStatusCode.Unauthorized));
        Assert.Equal("Bearer", nobody.Headers.WwwAuthenticate.ToString());
    }

    private static void Change(JsonObject part, string name, string? value)
    {
        part.Remove(name);
        if (value is not null)
        {
            part[name] = value;
        }
    }

    private async Task<TokenForge> ForgeAsync() =>
        await TokenForge.OfAsync(ariya, await (await Person.WithAccountAsync(ariya)).SignInAsync());

    private async Task AssertAcceptedAsync(string token) => Assert.Equal(HttpStatusCode.OK, (await SendAsync(token)).StatusCode);

    private async Task AssertRefusedAsync(string token)
    {
        var answer = await SendAsync(token);
        Assert.Equal("unauthenticated", await Person.CodeAsync(answer, HttpStatusCode.Unauthorized));
        Assert.Equal("Bearer error=\"invalid_token\"", answer.Headers.WwwAuthenticate.ToString());
    }

    private async Task<HttpResponseMessage> SendAsync(string token)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/account");
        request.Headers.TryAddWithoutValidation("Authorization", $"Bearer {token}");
        return await ariya.Api.SendAsync(request);
    }
}
