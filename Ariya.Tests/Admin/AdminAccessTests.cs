using System.Globalization;
using System.Net;
using Ariya.Tests.Contract;
using Ariya.Tests.Distributed;
using Ariya.Tests.Sessions;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Admin;

/// <summary>Who may use the routes of operators.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AdminAccessTests(RunningAriya ariya)
{
    private const string Prefix = "/api/v1/admin";

    [Fact]
    public async Task WithoutTheRoleEveryRouteAnswersAlike()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var routes = Routes();
        Assert.True(routes.Count >= 14, $"only {routes.Count} routes");
        var answers = new HashSet<string>();
        foreach (var (method, path) in routes)
        {
            // A body that would be refused, and ids of nobody: neither is looked at.
            using var answer = await person.SendAsync(method, path, method == HttpMethod.Post ? new { neverHeardOf = 1 } : null, tokens.Access);
            Assert.Equal(("forbidden", path), (await Person.CodeAsync(answer, HttpStatusCode.Forbidden), path));
            answers.Add(await Answers.ShapeAsync(answer));
            using var nobody = await person.SendAsync(method, path, null);
            Assert.Equal("unauthenticated", await Person.CodeAsync(nobody, HttpStatusCode.Unauthorized));
        }

        Assert.Single(answers);
        Assert.Equal(0, await ariya.ScalarAsync<long>(
            "select count(*) from audit_events where kind like 'admin.%' and session_id = $1", new SessionRow(ariya, tokens).Id));
    }

    [Fact]
    public async Task TheSignInMustBeOfToday()
    {
        var person = await Person.WithAccountAsync(ariya);
        await ariya.SqlAsync("update accounts set roles = '{admin}' where email_canonical = $1", person.Email);
        var tokens = await person.SignInAsync();
        var session = new SessionRow(ariya, tokens);
        await session.SetAsync("created_at = clock_timestamp() - interval '11 hours 59 minutes'");
        using var young = await person.SendAsync(HttpMethod.Get, $"{Prefix}/cleanup", null, tokens.Access);
        Assert.Equal(HttpStatusCode.OK, young.StatusCode);

        await session.SetAsync("created_at = clock_timestamp() - interval '12 hours 1 second'");
        using var old = await person.SendAsync(HttpMethod.Get, $"{Prefix}/cleanup", null, tokens.Access);
        Assert.Equal("sign_in_too_old", await Person.CodeAsync(old, HttpStatusCode.Forbidden));
        // Refreshing is no sign-in.
        using var refreshed = await person.SendAsync(HttpMethod.Get, $"{Prefix}/cleanup", null, (await person.RefreshedAsync(tokens)).Access);
        Assert.Equal("sign_in_too_old", await Person.CodeAsync(refreshed, HttpStatusCode.Forbidden));
    }

    [Fact]
    public async Task ARoleThatWasTakenIsGoneWithTheCommit()
    {
        var admin = await Operator.SignInAsync(ariya);
        await admin.GetAsync("cleanup");
        // Without an epoch or a moment by which a cache would notice.
        await ariya.SqlAsync("update accounts set roles = '{}' where id = $1", admin.Id);
        using var refused = await admin.SendAsync(HttpMethod.Get, "cleanup");
        Assert.Equal("forbidden", await Person.CodeAsync(refused, HttpStatusCode.Forbidden));

        await ariya.SqlAsync("update accounts set roles = '{admin}', auth_epoch = auth_epoch + 1 where id = $1", admin.Id);
        using var otherEpoch = await admin.SendAsync(HttpMethod.Get, "cleanup");
        Assert.Equal("unauthenticated", await Person.CodeAsync(otherEpoch, HttpStatusCode.Unauthorized));
    }

    [Fact]
    public async Task OutsideTheNetworksOfOperatorsThereAreNoSuchPaths()
    {
        // 127.0.0.1 calls, which is mapped into IPv6 where the listener speaks both.
        await using var elsewhere = ApiHost.With(null, null, ("Admin:Networks", "10.1.0.0/16, 2001:db8::/32"), ("Cors:Origins", "https://shop.example.com"));
        using var unknown = await elsewhere.SendAsync(HttpMethod.Get, $"{Prefix}/nothing");
        var nothing = await Answers.ShapeAsync(unknown);
        foreach (var (method, path) in Routes())
        {
            using var answer = await elsewhere.SendAsync(method, path);
            Assert.Equal(nothing, await Answers.ShapeAsync(answer));
        }

        // Nor do a wrong method or a browser that asks first tell of them.
        using var wrong = await elsewhere.SendAsync(HttpMethod.Put, $"{Prefix}/cleanup");
        Assert.Equal(nothing, await Answers.ShapeAsync(wrong));
        using var client = elsewhere.CreateClient();
        using var preflight = new HttpRequestMessage(HttpMethod.Options, $"{Prefix}/cleanup");
        preflight.Headers.Add("Origin", "https://shop.example.com");
        preflight.Headers.Add("Access-Control-Request-Method", "GET");
        using var refused = await client.SendAsync(preflight);
        Assert.Equal(HttpStatusCode.NotFound, refused.StatusCode);

        await using var here = ApiHost.With(null, null, ("Admin:Networks", "127.0.0.0/8"));
        using var asked = await here.SendAsync(HttpMethod.Get, $"{Prefix}/cleanup");
        // There, and its database is away.
        Assert.Equal(HttpStatusCode.ServiceUnavailable, asked.StatusCode);
    }

    [Fact]
    public async Task WhoIsRefusedUsesUpTheLimit()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        var left = new List<int>();
        for (var i = 0; i < 2; i++)
        {
            using var answer = await person.SendAsync(HttpMethod.Get, $"{Prefix}/cleanup", null, tokens.Access);
            Assert.Contains("\"admin\"", Assert.Single(answer.Headers.GetValues("RateLimit")), StringComparison.Ordinal);
            left.Add(int.Parse(Assert.Single(answer.Headers.GetValues("X-RateLimit-Remaining")), CultureInfo.InvariantCulture));
        }

        Assert.Equal(left[0] - 1, left[1]);
    }

    private static List<(HttpMethod Method, string Path)> Routes()
    {
        using var api = new ApiHost();
        return [.. from endpoint in api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
                   let path = endpoint.RoutePattern.RawText!
                   where path.StartsWith($"{Prefix}/", StringComparison.Ordinal)
                   select (HttpMethod.Parse(endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods[0]),
                       path.Replace("{id:guid}", Guid.CreateVersion7().ToString(), StringComparison.Ordinal))];
    }
}
