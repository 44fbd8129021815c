using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Ariya.Tests.Admin;
using Ariya.Tests.Distributed;
using Microsoft.AspNetCore.Routing;
using Microsoft.Extensions.DependencyInjection;

namespace Ariya.Tests.Contract;

/// <summary>Somebody who calls everything there is, once and rightly, and gets what <c>docs/openapi.json</c> says.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class DocumentedAnswerTests(RunningAriya ariya) : IDisposable
{
    private const string NewPassword = "the next sentence nobody else types";

    private static readonly JsonNode s_document = JsonNode.Parse(CheckoutFile.Read("docs/openapi.json"))!;

    // One pixel.
    private static readonly byte[] s_png = Convert.FromBase64String(
        "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR4nGP4z8DwHwAFAAH/iZk9HQAAAABJRU5ErkJggg==");

    // What is for browsers and probes is not in the document.
    private static readonly Dictionary<string, (int Status, string? Type, string? Location)> s_others = new()
    {
        ["GET /verify-email"] = (200, "text/html", null),
        ["POST /verify-email"] = (303, null, "/verify-email?result=verified"),
        ["GET /reset-password"] = (200, "text/html", null),
        ["POST /reset-password"] = (303, null, "/reset-password?result=done"),
        ["GET /confirm-email-change"] = (200, "text/html", null),
        ["POST /confirm-email-change"] = (303, null, "/confirm-email-change?result=done"),
        ["GET /undo-email-change"] = (200, "text/html", null),
        ["POST /undo-email-change"] = (303, null, "/undo-email-change?result=done"),
        ["GET /pages.css"] = (200, "text/css", null),
        ["GET /openapi/v1.json"] = (200, "application/json", null),
        ["GET /alive"] = (200, "text/plain", null),
        ["GET /health"] = (200, "text/plain", null),
    };

    // Without redirects of its own.
    private readonly HttpClient _api = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = ariya.Api.BaseAddress };
    private readonly HashSet<string> _called = [];
    private string? _token;

    public void Dispose() => _api.Dispose();

    [Fact]
    [Trait("Promise", "P01")]
    public async Task EveryEndpointAnswersAsTheDocumentSays()
    {
        var person = new Person(ariya);
        var (email, password) = (person.Email, person.Password);
        await CallAsync("POST /api/v1/auth/register", new { email, password, firstName = "Ada", lastName = "Lovelace", vendor = new { businessName = "Engines", category = "software" } });
        await CallAsync("POST /api/v1/auth/resend-verification", new { email });
        await CallAsync("POST /api/v1/auth/verify-email", new { token = (await person.MailAsync("Confirm your e-mail address")).Token });
        var reader = new Person(ariya);
        await reader.RegisterAsync();
        var link = (await reader.MailAsync("Confirm your e-mail address")).Token;
        await CallAsync("GET /verify-email", query: $"?token={link}");
        await CallAsync("POST /verify-email", new FormUrlEncodedContent([new("token", link)]));

        var first = await CallAsync("POST /api/v1/auth/login", new { email, password });
        _token = (string?)(await CallAsync("POST /api/v1/auth/refresh", new { refreshToken = (string?)first!["refreshToken"] }))!["accessToken"];
        await CallAsync("GET /api/v1/account");
        await CallAsync("PATCH /api/v1/account", new { firstName = "Augusta", locale = "en-GB" });
        await CallAsync("PUT /api/v1/account/avatar", new ByteArrayContent(s_png) { Headers = { ContentType = new MediaTypeHeaderValue("image/png") } });
        await CallAsync("GET /api/v1/account/avatar");
        await CallAsync("DELETE /api/v1/account/avatar");
        await person.SignInAsync();
        var sessions = (await CallAsync("GET /api/v1/account/sessions"))!["sessions"]!.AsArray();
        var other = sessions.Single(session => !(bool)session!["current"]!)!;
        await CallAsync("DELETE /api/v1/account/sessions/{id}", route: "DELETE /api/v1/account/sessions/{id:guid}", id: (string?)other["id"]);
        await CallAsync("DELETE /api/v1/account/sessions");
        await CallAsync("POST /api/v1/account/password", new { currentPassword = password, newPassword = NewPassword });

        _token = null;
        await CallAsync("POST /api/v1/auth/logout", new { refreshToken = (string?)first["refreshToken"] });
        await CallAsync("POST /api/v1/auth/forgot-password", new { email });
        await CallAsync("POST /api/v1/auth/reset-password", new { token = (await person.MailAsync("Choose a new password")).Token, password });
        await reader.PostAsync("/api/v1/auth/forgot-password", new { email = reader.Email });
        link = (await reader.MailAsync("Choose a new password")).Token;
        await CallAsync("GET /reset-password", query: $"?token={link}");
        await CallAsync("POST /reset-password", new FormUrlEncodedContent([new("token", link), new("password", NewPassword)]));

        await MoveAsync(person, reader);
        await OperateAsync(reader);
        foreach (var get in new[] { "/api/health", "/.well-known/jwks.json", "/openapi/v1.json", "/pages.css", "/alive", "/health" })
        {
            await CallAsync($"GET {get}");
        }

        await using var api = new ApiHost();
        var routes = api.Services.GetRequiredService<EndpointDataSource>().Endpoints.OfType<RouteEndpoint>().SelectMany(endpoint =>
            (endpoint.Metadata.GetMetadata<IHttpMethodMetadata>()?.HttpMethods ?? ["GET"]).Select(method => $"{method} /{endpoint.RoutePattern.RawText!.Trim('/')}"));
        Assert.Equal(routes.Order(StringComparer.Ordinal), _called.Order(StringComparer.Ordinal));
        var operations = s_document["paths"]!.AsObject().SelectMany(path => path.Value!.AsObject().Select(operation => $"{operation.Key.ToUpperInvariant()} {path.Key}"));
        Assert.Subset(_called.Select(call => call.Replace("{id:guid}", "{id}", StringComparison.Ordinal)).ToHashSet(), operations.ToHashSet());
    }

    // The address of one is changed and changed back by the API, that of the other by the pages.
    private async Task MoveAsync(Person person, Person reader)
    {
        var (byApi, byPage) = (new Person(ariya), new Person(ariya));
        _token = (await person.SignInAsync()).Access;
        await CallAsync("POST /api/v1/account/email", new { email = byApi.Email, password = person.Password });
        _token = null;
        await CallAsync("POST /api/v1/auth/confirm-email-change", new { token = (await byApi.MailAsync("Confirm your new e-mail address")).Token, password = person.Password });
        await CallAsync("POST /api/v1/auth/undo-email-change", new { token = (await person.MailAsync("Your e-mail address was changed")).Token, password = NewPassword });

        reader.Password = NewPassword;
        await reader.SendAsync(HttpMethod.Post, "/api/v1/account/email", new { email = byPage.Email, password = NewPassword }, (await reader.SignInAsync()).Access);
        var link = (await byPage.MailAsync("Confirm your new e-mail address")).Token;
        await CallAsync("GET /confirm-email-change", query: $"?token={link}");
        await CallAsync("POST /confirm-email-change", new FormUrlEncodedContent([new("token", link), new("password", NewPassword)]));
        link = (await reader.MailAsync("Your e-mail address was changed")).Token;
        await CallAsync("GET /undo-email-change", query: $"?token={link}");
        await CallAsync("POST /undo-email-change", new FormUrlEncodedContent([new("token", link), new("password", "a third sentence nobody types")]));

        person.Password = NewPassword;
        _token = (await person.SignInAsync()).Access;
        await CallAsync("DELETE /api/v1/account", new { password = NewPassword });
    }

    private async Task OperateAsync(Person subject)
    {
        const string Account = "/api/v1/admin/accounts/{id}", Mail = "/api/v1/admin/mails/{id}";
        var (account, dead, waiting) = ($"{await ariya.AccountIdAsync(subject)}",
            $"{await ariya.MailAsync("dead.letters@example.com", "dead")}", $"{await ariya.MailAsync("waiting.letters@example.com", "retry")}");
        _token = (await Operator.SignInAsync(ariya)).AccessToken;
        await CallAsync("GET /api/v1/admin/accounts", query: $"?email={subject.Email}");
        foreach (var (operation, id, body) in new (string, string, object?)[]
        {
            ($"GET {Account}", account, null), ($"POST {Account}/disable", account, new { reason = "other" }), ($"POST {Account}/enable", account, null),
            ($"DELETE {Account}/sessions", account, null), ($"GET {Account}/sign-in-obstacles", account, null),
            ($"GET {Mail}", dead, null), ($"POST {Mail}/requeue", dead, null), ($"POST {Mail}/cancel", waiting, null),
        })
        {
            await CallAsync(operation, body, route: operation.Replace("{id}", "{id:guid}", StringComparison.Ordinal), id: id);
        }

        await CallAsync("GET /api/v1/admin/sign-in-obstacles", query: $"?email={subject.Email}");
        await CallAsync("GET /api/v1/admin/mails", query: $"?recipient={subject.Email}");
        await CallAsync("GET /api/v1/admin/audit", query: $"?account={account}");
        await CallAsync("POST /api/v1/admin/cleanup");
        await CallAsync("GET /api/v1/admin/cleanup");
        _token = null;
    }

    /// <summary>Calls an operation, named as the document does, and holds its answer against the document; its body, if it is JSON.</summary>
    private async Task<JsonNode?> CallAsync(string operation, object? body = null, string query = "", string? route = null, string? id = null)
    {
        _called.Add(route ?? operation);
        var (method, path) = (operation.Split(' ')[0], operation.Split(' ')[1]);
        using var request = new HttpRequestMessage(HttpMethod.Parse(method), path.Replace("{id}", id, StringComparison.Ordinal) + query)
        {
            Content = body switch { null => null, HttpContent content => content, _ => JsonContent.Create(body) },
        };
        request.Headers.Authorization = _token is null ? null : new AuthenticationHeaderValue("Bearer", _token);
        using var answer = await _api.SendAsync(request);
        var text = await answer.Content.ReadAsStringAsync();
        var type = answer.Content.Headers.ContentType?.MediaType;
        if (s_others.TryGetValue(operation, out var expected))
        {
            Assert.True(expected == ((int)answer.StatusCode, type, answer.Headers.Location?.OriginalString), $"{operation}: {(int)answer.StatusCode} {type} {answer.Headers.Location} {text}");
            return null;
        }

        var responses = s_document["paths"]![path]![method.ToLowerInvariant()]!["responses"]!.AsObject();
        var (status, response) = Assert.Single(responses, one => one.Key[0] == '2');
        Assert.True(status == $"{(int)answer.StatusCode}", $"{operation}: {(int)answer.StatusCode} instead of the {status} of the document. {text}");
        Assert.All(response!["headers"]?.AsObject() ?? [], header => Assert.NotEqual("", answer.Header(header.Key)));
        var types = response["content"]?.AsObject();
        if (types is null)
        {
            Assert.True((null, "") == (type, text), $"{operation}: {type} {text}, and the document has no body");
            return null;
        }

        Assert.True(types.ContainsKey(type ?? ""), $"{operation}: {type} instead of {string.Join(" or ", types.Select(one => one.Key))}");
        if (type != "application/json")
        {
            return null;
        }

        var json = JsonNode.Parse(text);
        Assert.Empty(new ApiSchema(s_document).Faults(json, types[type]!["schema"]!).Select(fault => $"{operation}: {fault}"));
        return json;
    }
}
