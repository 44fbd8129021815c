using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Tests.Distributed;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Sessions;

/// <summary>An access token taken apart, to be changed and signed again: with the deployment's own key, or with a stranger's.</summary>
internal sealed class TokenForge : IDisposable
{
    private readonly string _token;

    private TokenForge(string token, ECDsa key)
    {
        _token = token;
        Key = key;
        Header = Part(0);
        Payload = Part(1);
    }

    public JsonObject Header { get; }
    public JsonObject Payload { get; }

    /// <summary>The key that signed the token.</summary>
    public ECDsa Key { get; }

    public static async Task<TokenForge> OfAsync(RunningAriya ariya, Tokens tokens)
    {
        var parameter = ariya.App.Services.GetRequiredService<DistributedApplicationModel>().Resources
            .OfType<ParameterResource>().Single(resource => resource.Name == "jwt-secret");
        var secrets = new SecretKeys([(await parameter.GetValueAsync(CancellationToken.None))!]);
        await using var db = new AriyaDbContext(new DbContextOptionsBuilder<AriyaDbContext>()
            .UseNpgsql(await ariya.App.GetConnectionStringAsync("ariyadb")).Options);
        var kid = (string)Decode(tokens.Access.Split('.')[0])["kid"]!;
        var row = await db.SigningKeys.AsNoTracking().SingleAsync(key => key.Kid == kid);
        return new TokenForge(tokens.Access, SigningKeySeal.Open(row, secrets)!);
    }

    public static JsonObject Decode(string part) => JsonNode.Parse(Base64Url.DecodeFromChars(part))!.AsObject();

    public static string Encode(JsonObject part) => Base64Url.EncodeToString(Encoding.UTF8.GetBytes(part.ToJsonString()));

    /// <summary>Header and payload as they are now, signed anew.</summary>
    public string Signed(ECDsa? key = null)
    {
        var text = $"{Encode(Header)}.{Encode(Payload)}";
        return $"{text}.{Base64Url.EncodeToString((key ?? Key).SignData(Encoding.ASCII.GetBytes(text), HashAlgorithmName.SHA256))}";
    }

    /// <summary>Header and payload as they are now, under the signature that the token had.</summary>
    public string WithItsOldSignature() => $"{Encode(Header)}.{Encode(Payload)}.{_token.Split('.')[2]}";

    public void Dispose() => Key.Dispose();

    private JsonObject Part(int number) => Decode(_token.Split('.')[number]);
}
