using Ariya.Tests.Distributed;

namespace Ariya.Tests.Contract;

public sealed class HeaderTests(ApiHost api) : IClassFixture<ApiHost>
{
    [Theory]
    [Trait("Promise", "P01")]
    [InlineData("GET", "/api/v1/account", 200)]
    [InlineData("POST", "/api/v1/auth/login", 400)]
    [InlineData("DELETE", "/api/v1/auth/login", 405)]
    [InlineData("GET", "/api/v1/nothing", 404)]
    [InlineData("GET", "/api/health", 503)]
    [InlineData("GET", "/health", 503)]
    [InlineData("GET", "/alive", 200)]
    [InlineData("GET", "/verify-email?result=verified", 200)]
    [InlineData("GET", "/reset-password?result=done", 200)]
    [InlineData("GET", "/.well-known/jwks.json", 503)]
    [InlineData("GET", "/docs/index.html", 200)]
    public async Task NoAnswerIsKeptByCaches(string method, string path, int status)
    {
        using var answer = await api.SendAsync(HttpMethod.Parse(method), path, method == "POST" ? "{}" : null);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.True(answer.Headers.CacheControl?.NoStore, $"Cache-Control: {answer.Headers.CacheControl}");
        Assert.False(answer.Headers.Contains("Server"));
        Assert.Equal("nosniff", answer.Headers.GetValues("X-Content-Type-Options").Single());
    }

    [Theory]
    [InlineData("GET", "/api/v1/account", 200)]
    [InlineData("GET", "/api/v1/nothing", 404)]
    [InlineData("GET", "/api/health", 503)]
    [InlineData("GET", "/health", 503)]
    [InlineData("GET", "/verify-email?result=verified", 200)]
    [InlineData("GET", "/docs/index.html", 200)]
    [InlineData("GET", "/pages.css", 200)]
    public async Task EveryAnswerKeepsToItsOriginAndToHttps(string method, string path, int status)
    {
        using var answer = await api.SendAsync(HttpMethod.Parse(method), path);
        Assert.Equal(status, (int)answer.StatusCode);
        Assert.Equal("max-age=31536000", answer.Header("Strict-Transport-Security"));
        Assert.Equal(("same-origin", "same-origin"), (answer.Header("Cross-Origin-Opener-Policy"), answer.Header("Cross-Origin-Resource-Policy")));
        Assert.Contains("camera=()", answer.Header("Permissions-Policy"), StringComparison.Ordinal);
        Assert.Equal(("nosniff", "no-referrer"), (answer.Header("X-Content-Type-Options"), answer.Header("Referrer-Policy")));
        Assert.Contains("frame-ancestors 'none'", answer.Header("Content-Security-Policy"), StringComparison.Ordinal);
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Theory]
    [InlineData("1.00:00:00", "max-age=86400")]
    [InlineData("00:00:00", "")]
    public async Task HowLongHttpsIsKeptToIsASetting(string age, string expected)
    {
        await using var other = ApiHost.With(null, null, ("Hsts:MaxAge", age));
        using var answer = await other.SendAsync(HttpMethod.Get, "/alive", signedIn: false);
        Assert.Equal(expected, answer.Header("Strict-Transport-Security"));
    }

    [Theory]
    [InlineData("/pages.css")]
    [InlineData("/openapi/v1.json")]
    public async Task WhatIsTheSameForEverybodyMayBeKept(string path)
    {
        using var answer = await api.SendAsync(HttpMethod.Get, path, signedIn: false);
        Assert.True(answer.IsSuccessStatusCode);
        Assert.True(answer.Headers.CacheControl is { Public: true, MaxAge: not null });
        Assert.False(answer.Headers.Contains("Server"));
    }

    [Fact]
    public async Task ScriptsRunOnTheDocumentPageOnlyAndOnlyItsOwn()
    {
        using var docs = await api.SendAsync(HttpMethod.Get, "/docs/index.html", signedIn: false);
        using var page = await api.SendAsync(HttpMethod.Get, "/verify-email?result=verified", signedIn: false);

        Assert.Contains("script-src 'self';", Policy(docs), StringComparison.Ordinal);
        Assert.DoesNotContain("unsafe", Policy(docs), StringComparison.Ordinal);
        Assert.DoesNotContain("script-src", Policy(page), StringComparison.Ordinal);
        var html = await docs.Content.ReadAsStringAsync();
        Assert.DoesNotContain("<script>", html, StringComparison.Ordinal);
        Assert.DoesNotContain("://", html, StringComparison.Ordinal);
    }

    private static string Policy(HttpResponseMessage answer) => answer.Headers.GetValues("Content-Security-Policy").Single();
}
