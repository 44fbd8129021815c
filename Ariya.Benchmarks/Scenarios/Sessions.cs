using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Ariya.Api.Sessions;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;
using Ariya.Data.Keys;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>The sessions of <see cref="Database.LoadAccountsAsync"/> as their clients hold them: which generation is the newest, and its token.</summary>
internal sealed class Sessions(int count)
{
    private readonly RefreshTokens _tokens = new(new SecretKeys([Programs.JwtRefreshSecret]));
    private readonly long[] _generations = new long[count + 1];

    public int Count => count;

    /// <summary>A request that exchanges the newest token of the n-th session.</summary>
    public byte[] Exchange(int n) => HttpConnection.Request("POST", "/api/v1/auth/refresh", $$"""{"refreshToken":"{{Token(n)}}"}""");

    /// <summary>The exchange was answered.</summary>
    public void Exchanged(int n) => _generations[n]++;

    /// <summary>Access tokens of the first sessions.</summary>
    public async Task<string[]> AccessTokensAsync(int port, IEnumerable<int> numbers)
    {
        using var connection = await HttpConnection.OpenAsync(port);
        var tokens = new List<string>();
        foreach (var n in numbers)
        {
            var reply = await connection.SendAsync(Exchange(n));
            ClosedLoop.Expect(200, reply);
            Exchanged(n);
            tokens.Add((string)JsonNode.Parse(reply.Body)!["accessToken"]!);
        }

        return [.. tokens];
    }

    private string Token(int n)
    {
        var text = n.ToString(CultureInfo.InvariantCulture);
        return _tokens.Create(Guid.ParseExact(Md5($"s{text}"), "N"), _generations[n], Convert.FromHexString(Md5($"n{text}")));
    }

#pragma warning disable CA5351 // The database makes the same ids of the same numbers; nothing is protected by them.
    private static string Md5(string text) => Convert.ToHexStringLower(MD5.HashData(Encoding.UTF8.GetBytes(text)));
#pragma warning restore CA5351
}
