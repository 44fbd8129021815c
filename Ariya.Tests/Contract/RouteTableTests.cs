using Ariya.Api.OpenApi;
using Microsoft.AspNetCore.Authorization;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Metadata;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Contract;

public sealed class RouteTableTests(ApiHost api) : IClassFixture<ApiHost>
{
    private static readonly string[] s_anonymous =
    [
        "ConfirmEmailChange", "ForgotPassword", "GetHealth", "Login", "Logout", "Refresh", "Register", "ResendVerification", "ResetPassword",
        "UndoEmailChange", "VerifyEmail",
    ];

    private IEnumerable<RouteEndpoint> ApiEndpoints => api.Services.GetRequiredService<EndpointDataSource>().Endpoints
        .OfType<RouteEndpoint>()
        .Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api", StringComparison.Ordinal));

    [Fact]
    public void EveryRouteHasItsOwnName()
    {
        Assert.All(ApiEndpoints, endpoint => Assert.False(string.IsNullOrEmpty(NameOf(endpoint)), $"{endpoint} has no name"));
        Assert.Equal(ApiEndpoints.Count(), ApiEndpoints.Select(NameOf).Distinct().Count());
    }

    [Fact]
    public void EveryRouteSaysWhoMayCallIt() => Assert.All(ApiEndpoints, endpoint => Assert.True(
        IsAnonymous(endpoint) || endpoint.Metadata.GetMetadata<IAuthorizeData>() is not null,
        $"{endpoint} is open to everybody without saying so"));

    [Fact]
    public void OnlyTheseRoutesAnswerWithoutASignIn() =>
        Assert.Equal(s_anonymous, ApiEndpoints.Where(IsAnonymous).Select(NameOf).Order(StringComparer.Ordinal));

    [Fact]
    public void EveryRequestBodyIsAPublicRecord() => Assert.All(
        ApiEndpoints.Select(endpoint => endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType).OfType<Type>(), body =>
        {
            Assert.True(body.IsPublic, $"{body} is not public");
            Assert.Equal("Ariya.Api", body.Assembly.GetName().Name);
            Assert.NotNull(body.GetMethod("<Clone>$"));
            Assert.True(Operations.RequiredMembers.ContainsKey(body), $"which members {body} must have is not in Operations.cs");
        });

    [Fact]
    public void EveryVersionedRouteIsDescribedWithAnExampleOfItsBody() => Assert.All(
        ApiEndpoints.Where(endpoint => endpoint.RoutePattern.RawText!.StartsWith("/api/v1", StringComparison.Ordinal)), endpoint =>
        {
            var operation = Operations.ByEndpoint.GetValueOrDefault(NameOf(endpoint)!);
            Assert.True(operation is not null, $"{endpoint} is not in Operations.cs");
            var body = endpoint.Metadata.GetMetadata<IAcceptsMetadata>()?.RequestType;
            Assert.Equal(body is not null, operation.Examples.Length > 0);
            Assert.All(operation.Examples, example => Assert.IsType(body!, example.Body));
        });

    private static string? NameOf(Endpoint endpoint) => endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName;

    private static bool IsAnonymous(Endpoint endpoint) => endpoint.Metadata.GetMetadata<IAllowAnonymous>() is not null;
}
