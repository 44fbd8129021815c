using System.Net;
using System.Net.Http.Headers;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Contract;

/// <summary>Pages of other origins: named ones may use the API, others and the pages of mailed links stay closed.</summary>
public sealed class CrossOriginTests
{
    private const string Ours = "https://app.example.com";
    private const string Theirs = "https://evil.example.com";

    [Fact]
    public async Task APreflightOfANamedOriginIsAnsweredKeptAndNotCounted()
    {
        await using var api = ApiHost.With(null, null, ("Cors:Origins", $"{Ours}, http://localhost:3000"), ("RateLimits:ApiPermits", "2"));
        using var client = api.CreateClient();
        for (var ask = 0; ask < 5; ask++)
        {
            using var answer = await PreflightAsync(client, Ours, "/api/v1/account", "PATCH", "authorization,content-type,idempotency-key,if-match");
            Assert.Equal(HttpStatusCode.NoContent, answer.StatusCode);
            Assert.Equal(Ours, answer.Header("Access-Control-Allow-Origin"));
            Assert.Equal("7200", answer.Header("Access-Control-Max-Age"));
            Assert.Contains("PATCH", answer.Header("Access-Control-Allow-Methods"), StringComparison.Ordinal);
            Assert.Contains("Idempotency-Key", answer.Header("Access-Control-Allow-Headers"), StringComparison.OrdinalIgnoreCase);
            Assert.Empty(answer.Header("Access-Control-Allow-Credentials"));
            Assert.Empty(answer.Header("RateLimit"));
        }

        using var request = await api.SendAsync(HttpMethod.Get, "/api/v1/account");
        Assert.Equal((HttpStatusCode.OK, "1"), (request.StatusCode, request.Header("X-RateLimit-Remaining")));
    }

    [Theory]
    [InlineData(Ours, "/api/v1/account", HttpStatusCode.Unauthorized)]
    [InlineData("http://localhost:3000", "/api/v1/account", HttpStatusCode.Unauthorized)]
    [InlineData(Theirs, "/api/v1/account", HttpStatusCode.Unauthorized)]
    [InlineData(Ours, "/verify-email?result=verified", HttpStatusCode.OK)]
    [InlineData(Ours, "/reset-password?result=done", HttpStatusCode.OK)]
    public async Task OnlyNamedOriginsReadAnswersOfTheApiRefusalsToo(string origin, string path, HttpStatusCode status)
    {
        await using var api = ApiHost.With(null, null, ("Cors:Origins", $"{Ours},http://localhost:3000"));
        using var client = api.CreateClient();
        using var answer = await GetAsync(client, origin, path);
        Assert.Equal(status, answer.StatusCode);
        var isOpen = origin != Theirs && path.StartsWith("/api", StringComparison.Ordinal);
        Assert.Equal(isOpen ? origin : "", answer.Header("Access-Control-Allow-Origin"));
        string[] exposed = isOpen
            ? ["ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"]
            : [];
        Assert.Equal(exposed, answer.Header("Access-Control-Expose-Headers").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries));
    }

    [Theory]
    [InlineData("/verify-email")]
    [InlineData("/reset-password")]
    [InlineData("/api/v1/nothing")]
    public async Task APreflightForAnythingElseIsNotAnswered(string path)
    {
        await using var api = ApiHost.With(null, null, ("Cors:Origins", Ours));
        using var client = api.CreateClient();
        using var answer = await PreflightAsync(client, Ours, path, "POST", "content-type");
        Assert.False(answer.IsSuccessStatusCode);
        Assert.Empty(answer.Header("Access-Control-Allow-Origin"));
    }

    [Fact]
    public async Task WithoutTheSettingNobodyMay()
    {
        await using var api = new ApiHost();
        using var client = api.CreateClient();
        using var preflight = await PreflightAsync(client, Ours, "/api/v1/account", "GET", "authorization");
        using var answer = await GetAsync(client, Ours, "/api/v1/account");
        Assert.All([preflight, answer], response => Assert.Empty(response.Header("Access-Control-Allow-Origin")));
    }

    private static async Task<HttpResponseMessage> GetAsync(HttpClient client, string origin, string path)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, path);
        request.Headers.Add("Origin", origin);
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", "unknown");
        return await client.SendAsync(request);
    }

    private static async Task<HttpResponseMessage> PreflightAsync(HttpClient client, string origin, string path, string method, string headers)
    {
        using var request = new HttpRequestMessage(HttpMethod.Options, path);
        request.Headers.Add("Origin", origin);
        request.Headers.Add("Access-Control-Request-Method", method);
        request.Headers.Add("Access-Control-Request-Headers", headers);
        return await client.SendAsync(request);
    }
}
