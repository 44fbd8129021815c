using System.Net;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Api.Admin;
using Ariya.Api.OpenApi;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Contract;

public sealed class RefusalTests(ApiHost api) : IClassFixture<ApiHost>
{
    private const string Login = "/api/v1/auth/login";

    private IEnumerable<(HttpMethod Method, string Path, Type Body)> EndpointsWithBodies =>
        from endpoint in api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        let path = endpoint.RoutePattern.RawText
        let body = endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType
        // Who an operator is is asked of the database before a body is read: AdminAccountTests.
        where path.StartsWith("/api", StringComparison.Ordinal) && body is not null && endpoint.Metadata.GetMetadata<AdminsOnly>() is null
        select (HttpMethod.Parse(endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods[0]), path, body);

    [Theory]
    [Trait("Promise", "P01")]
    [Trait("Promise", "P03")]
    [Trait("Promise", "P04")]
    [InlineData("{", "malformed_json")]
    [InlineData("[]", "malformed_json")]
    [InlineData("", "malformed_json")]
    [InlineData("""{"neverHeardOf":1}""", "validation_failed")]
    public async Task NoEndpointTakesABodyThatIsNotItsOwn(string body, string code)
    {
        Assert.NotEmpty(EndpointsWithBodies);
        foreach (var (method, path, _) in EndpointsWithBodies)
        {
            using var answer = await api.SendAsync(method, path, body);
            await AssertProblemAsync(answer, HttpStatusCode.BadRequest, code);
        }
    }

    [Fact]
    [Trait("Promise", "P02")]
    public async Task EveryEndpointNamesTheMembersItMisses()
    {
        foreach (var (method, path, body) in EndpointsWithBodies.Where(endpoint => Operations.RequiredMembers[endpoint.Body].Length > 0))
        {
            using var answer = await api.SendAsync(method, path, "{}");
            var problem = await AssertProblemAsync(answer, HttpStatusCode.BadRequest, "validation_failed");
            Assert.Equal(Operations.RequiredMembers[body].Order(), problem["errors"]!.AsObject().Select(error => error.Key).Order());
        }
    }

    [Fact]
    [Trait("Promise", "P01")]
    [Trait("Promise", "P03")]
    public async Task ABodyOfAnotherTypeIsRefusedByEveryEndpoint()
    {
        foreach (var (method, path, _) in EndpointsWithBodies)
        {
            using var answer = await api.SendAsync(method, path, "email=ada@example.com", "application/x-www-form-urlencoded");
            await AssertProblemAsync(answer, HttpStatusCode.UnsupportedMediaType, "unsupported_media_type");
        }
    }

    [Fact]
    [Trait("Promise", "P03")]
    public async Task ALargeBodyIsRefused()
    {
        using var answer = await api.SendAsync(HttpMethod.Post, Login, $$"""{"email":"{{new string('a', 70_000)}}"}""");
        await AssertProblemAsync(answer, HttpStatusCode.RequestEntityTooLarge, "payload_too_large");
    }

    [Theory]
    [Trait("Promise", "P01")]
    [InlineData("DELETE")]
    [InlineData("PUT")]
    [InlineData("GET")]
    [InlineData("TRACE")]
    public async Task AnotherMethodIsToldWhichOnesThereAre(string method)
    {
        foreach (var path in EndpointsWithBodies.Select(endpoint => endpoint.Path).Distinct().Where(path => path.Contains("/auth/", StringComparison.Ordinal)))
        {
            using var answer = await api.SendAsync(HttpMethod.Parse(method), path);
            await AssertProblemAsync(answer, HttpStatusCode.MethodNotAllowed, "method_not_allowed");
            Assert.Equal(["POST"], answer.Content.Headers.Allow);
        }
    }

    [Theory]
    [Trait("Promise", "P01")]
    [InlineData("/")]
    [InlineData("/api/v1/nothing")]
    [InlineData("/docs/nothing.js")]
    public async Task APathThatIsNotThereIsAProblemToo(string path)
    {
        using var answer = await api.SendAsync(HttpMethod.Get, path);
        await AssertProblemAsync(answer, HttpStatusCode.NotFound, "not_found");
    }

    [Fact]
    [Trait("Promise", "P01")]
    public async Task WithoutATokenTheCallerIsToldToSignIn()
    {
        using var answer = await api.SendAsync(HttpMethod.Get, "/api/v1/account", signedIn: false);
        await AssertProblemAsync(answer, HttpStatusCode.Unauthorized, "unauthenticated");
        Assert.Equal("Bearer", answer.Headers.WwwAuthenticate.ToString());
    }

    [Fact]
    public async Task WithoutADatabaseNothingIsDoneAndTheClientMayTryAgain()
    {
        using var answer = await api.SendAsync(HttpMethod.Post, "/api/v1/auth/forgot-password", """{"email":"ada@example.com"}""");
        await AssertProblemAsync(answer, HttpStatusCode.ServiceUnavailable, "unavailable");
        Assert.NotNull(answer.Headers.RetryAfter);
    }

    private static async Task<JsonObject> AssertProblemAsync(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        var request = $"{answer.RequestMessage!.Method} {answer.RequestMessage.RequestUri!.AbsolutePath}";
        Assert.True(status == answer.StatusCode, $"{request} answered {(int)answer.StatusCode} instead of {(int)status}");
        Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
        var problem = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.True(code == (string?)problem["code"], $"{request} answered {problem["code"]} instead of {code}");
        Assert.Equal($"urn:ariya:problem:{code}", (string?)problem["type"]);
        Assert.Equal((int)status, (int?)problem["status"]);
        Assert.False(string.IsNullOrEmpty((string?)problem["title"]));
        Assert.False(string.IsNullOrEmpty((string?)problem["traceId"]));
        return problem;
    }
}
