using System.Diagnostics;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Ariya.Api.Admin;
using Ariya.Api.OpenApi;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Contract;

/// <summary>Every member of every body, as something that it is not: the answer names it, and none of it is a fault of ours.</summary>
public sealed class BadInputTests(ApiHost api) : IClassFixture<ApiHost>
{
    private static readonly string[] s_wrong = ["1", "true", "[]", "{}", "[\"a\"]", "1e400", "\"\\u0000\""];

    /// <summary>Each endpoint that takes JSON, with bodies that are right.</summary>
    private IEnumerable<(HttpMethod Method, string Path, JsonObject Body, string[] Required)> Requests =>
        from endpoint in api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>()
        let name = endpoint.Metadata.GetMetadata<IEndpointNameMetadata>()?.EndpointName
        where name is not null && Operations.ByEndpoint.ContainsKey(name) && endpoint.Metadata.GetMetadata<AdminsOnly>() is null
        from example in Operations.ByEndpoint[name].Examples
        select (HttpMethod.Parse(endpoint.Metadata.GetRequiredMetadata<IHttpMethodMetadata>().HttpMethods[0]), endpoint.RoutePattern.RawText!.TrimEnd('/'),
            JsonSerializer.SerializeToNode(example.Body, example.Body.GetType(), JsonSerializerOptions.Web)!.AsObject(),
            Operations.RequiredMembers[example.Body.GetType()]);

    [Fact]
    [Trait("Promise", "P02")]
    public async Task EveryMemberOfAWrongTypeIsNamed()
    {
        Assert.True(Requests.Count() > 8);
        foreach (var (method, path, body, _) in Requests)
        {
            foreach (var member in body.Where(member => member.Value is not null).Select(member => member.Key))
            {
                foreach (var wrong in s_wrong.Where(wrong => wrong != "{}" || body[member] is not JsonObject))
                {
                    var text = Replace(body, member, wrong);
                    using var answer = await api.SendAsync(method, path, text);
                    var problem = await ReadAsync(answer);
                    Assert.True(answer.StatusCode == HttpStatusCode.BadRequest || IsTakenAsText(wrong, answer), $"{method} {path} {text}: {answer.StatusCode} {problem}");
                    Assert.True(answer.StatusCode != HttpStatusCode.BadRequest || problem["errors"]?.AsObject().Any(error => Names(error.Key, member)) == true
                        || (wrong.StartsWith('"') && (string?)problem["code"] is "token_invalid" or "code_invalid"), $"{method} {path} {text}: {problem}");
                }
            }
        }
    }

    [Fact]
    [Trait("Promise", "P02")]
    public async Task EveryRequiredMemberThatIsNullOrMissingIsNamed()
    {
        foreach (var (method, path, body, required) in Requests)
        {
            foreach (var member in required)
            {
                foreach (var text in new[] { Replace(body, member, "null"), Replace(body, member, null) })
                {
                    using var answer = await api.SendAsync(method, path, text);
                    Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
                    Assert.Equal([member], (await ReadAsync(answer))["errors"]!.AsObject().Select(error => error.Key));
                }
            }
        }
    }

    [Fact]
    [Trait("Promise", "P04")]
    public async Task NobodyGivesThemselvesARoleAnIdOrAProof()
    {
        Assert.Equal(2, Requests.Select(request => request.Path).Distinct().Count(path => path.EndsWith("/register", StringComparison.Ordinal) || path.EndsWith("/account", StringComparison.Ordinal)));
        foreach (var member in new[] { "role", "roles", "isAdmin", "emailVerified", "id", "createdAt", "passwordHash", "status", "authEpoch", "version" })
        {
            foreach (var (method, path, body, _) in Requests.Where(request => request.Path.EndsWith("/register", StringComparison.Ordinal) || request.Path.EndsWith("/account", StringComparison.Ordinal)))
            {
                var text = body.DeepClone().AsObject();
                text[member] = member;
                using var answer = await api.SendAsync(method, path, text.ToJsonString());
                Assert.Equal(HttpStatusCode.BadRequest, answer.StatusCode);
                Assert.Equal([member], (await ReadAsync(answer))["errors"]!.AsObject().Select(error => error.Key));
            }
        }
    }

    public static TheoryData<byte[]> Broken =>
    [
        [.. "{\"email\":\""u8, 0xC3, 0x28, .. "\"}"u8],
        [0xFF, 0xFE, 0x7B, 0x00],
        [0xEF, 0xBB, 0xBF, .. "{"u8],
        Encoding.ASCII.GetBytes(new string('[', 200) + new string(']', 200)),
        Encoding.ASCII.GetBytes(string.Concat(Enumerable.Repeat("{\"vendor\":", 200)) + "1" + new string('}', 200)),
        Encoding.ASCII.GetBytes("{\"email\":\"\\uD800\"}"),
        Encoding.ASCII.GetBytes("{\"email\":\"a\",\"email\":\"b\"}"),
        Encoding.ASCII.GetBytes("{\"email\":\"a\"}{}"),
        Encoding.ASCII.GetBytes("// comment\n{}"),
        "null"u8.ToArray(),
        "\"text\""u8.ToArray(),
        new byte[65 * 1024],
    ];

    [Theory]
    [Trait("Promise", "P03")]
    [MemberData(nameof(Broken))]
    public async Task ABrokenBodyIsRefusedAndTheConnectionGoesOn(byte[] body)
    {
        var (connections, isTooLarge) = (0, body.Length > 64 * 1024);
        using var client = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (context, cancellationToken) =>
            {
                connections++;
                var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
                await socket.ConnectAsync(context.DnsEndPoint, cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        { BaseAddress = Address() };
        var fastest = TimeSpan.MaxValue;
        // What others do on this machine meanwhile is not its time, nor is what is compiled at the first.
        for (var n = 0; n < 5; n++)
        {
            using var content = new ByteArrayContent(body);
            content.Headers.ContentType = new MediaTypeHeaderValue("application/json");
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/register") { Content = content };
            request.Headers.ExpectContinue = isTooLarge;
            var started = Stopwatch.GetTimestamp();
            using var answer = await client.SendAsync(request);
            var took = Stopwatch.GetElapsedTime(started);
            fastest = took < fastest ? took : fastest;
            Assert.Contains(answer.StatusCode, new[] { HttpStatusCode.BadRequest, HttpStatusCode.RequestEntityTooLarge });
            Assert.Equal("application/problem+json", answer.Content.Headers.ContentType?.MediaType);
            using var next = await client.GetAsync(new Uri("/alive", UriKind.Relative));
            Assert.Equal(HttpStatusCode.OK, next.StatusCode);
        }

        Assert.InRange(fastest, TimeSpan.Zero, TimeSpan.FromMilliseconds(200));
        // What is too large is not read to its end, so that its connection ends.
        Assert.True(connections == 1 || isTooLarge, $"{connections} connections");
    }

    private Uri Address()
    {
        using var client = api.CreateClient();
        return client.BaseAddress!;
    }

    private static string Replace(JsonObject body, string member, string? json)
    {
        var copy = body.DeepClone().AsObject();
        copy.Remove(member);
        var rest = copy.ToJsonString()[1..^1];
        return json is null ? $"{{{rest}}}" : $"{{\"{member}\":{json}{(rest.Length > 0 ? "," : "")}{rest}}}";
    }

    // A control character is a text of the right type. What a token or a password may be is not judged by its letters: without a database that is 503.
    private static bool IsTakenAsText(string wrong, HttpResponseMessage answer) =>
        wrong.StartsWith('"') && answer.StatusCode is HttpStatusCode.ServiceUnavailable or HttpStatusCode.Unauthorized or HttpStatusCode.NoContent;

    private static bool Names(string key, string member) => key == member || key.StartsWith($"{member}.", StringComparison.Ordinal) || key.StartsWith($"{member}[", StringComparison.Ordinal);

    private static async Task<JsonNode> ReadAsync(HttpResponseMessage answer) =>
        await answer.Content.ReadAsStringAsync() is { Length: > 0 } text ? JsonNode.Parse(text)! : new JsonObject();
}
