using System.Buffers.Text;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

[Collection(RunningAriyaTests.Name)]
public sealed class JwksTests(RunningAriya ariya)
{
    [Fact]
    public async Task AnybodyCanVerifyATokenWithThePublishedKeys()
    {
        var answer = await ariya.Api.GetAsync("/.well-known/jwks.json");
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        Assert.Equal("public, max-age=300", answer.Headers.CacheControl?.ToString());
        var keys = (await answer.Content.ReadFromJsonAsync<JsonObject>())!["keys"]!.AsArray();
        Assert.All(keys, key => Assert.Equal(
            ["alg", "crv", "kid", "kty", "use", "x", "y"], key!.AsObject().Select(member => member.Key).Order(StringComparer.Ordinal)));

        var parts = (await (await Person.WithAccountAsync(ariya)).SignInAsync()).Access.Split('.');
        var kid = (string?)TokenForge.Decode(parts[0])["kid"];
        var key = keys.Single(key => (string?)key!["kid"] == kid)!;
        Assert.Equal(("EC", "P-256", "ES256", "sig"), ((string?)key["kty"], (string?)key["crv"], (string?)key["alg"], (string?)key["use"]));
        var thumbprint = SHA256.HashData(Encoding.UTF8.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{key["x"]}}","y":"{{key["y"]}}"}"""));
        Assert.Equal(Base64Url.EncodeToString(thumbprint), kid);
        using var verifier = ECDsa.Create(new ECParameters
        {
            Curve = ECCurve.NamedCurves.nistP256,
            Q = new ECPoint { X = Base64Url.DecodeFromChars((string?)key["x"]), Y = Base64Url.DecodeFromChars((string?)key["y"]) },
        });
        Assert.True(verifier.VerifyData(
            Encoding.ASCII.GetBytes($"{parts[0]}.{parts[1]}"), Base64Url.DecodeFromChars(parts[2]), HashAlgorithmName.SHA256));
    }
}
