using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;

namespace Ariya.Tests.Distributed;

/// <summary>What a client holds after signing in.</summary>
internal sealed record Tokens(string Access, string Refresh, JsonObject Body);

/// <summary>
/// Somebody with an address and a password, as a test speaks of them. Every call is HTTP; a network and a browser can be given,
/// else they are those of the test's own client.
/// </summary>
internal sealed class Person
{
    private readonly RunningAriya _ariya;

    public Person(RunningAriya ariya, string? email = null)
    {
        _ariya = ariya;
        Email = email ?? $"{Guid.CreateVersion7():N}@example.com";
    }

    public string Email { get; }
    public string Password { get; set; } = "a sentence nobody else types";
    public string FirstName { get; set; } = "Grace";
    public string LastName { get; set; } = "Hopper";

    /// <summary>An IPv4 address that this person's requests come from.</summary>
    public string? Ip { get; set; }

    public string UserAgent { get; set; } = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

    /// <summary>Registered, verified and ready to sign in.</summary>
    public static async Task<Person> WithAccountAsync(RunningAriya ariya)
    {
        var person = new Person(ariya);
        await person.RegisterAsync();
        await person.VerifyAsync((await person.MailAsync("Confirm your e-mail address")).Token);
        return person;
    }

    public Task<HttpResponseMessage> RegisterAsync() =>
        PostAsync("/api/v1/auth/register", new { email = Email, password = Password, firstName = FirstName, lastName = LastName });

    public Task<HttpResponseMessage> VerifyAsync(string token) => PostAsync("/api/v1/auth/verify-email", new { token });

    public Task<HttpResponseMessage> LoginAsync(string? password = null) =>
        PostAsync("/api/v1/auth/login", new { email = Email, password = password ?? Password });

    public async Task<Tokens> SignInAsync() => await TokensAsync(await LoginAsync());

    public Task<HttpResponseMessage> RefreshAsync(string refreshToken, string? idempotencyKey = null) =>
        SendAsync(HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken }, idempotencyKey: idempotencyKey);

    public Task<HttpResponseMessage> GetAccountAsync(string accessToken, HttpClient? api = null) =>
        SendAsync(HttpMethod.Get, "/api/v1/account", null, accessToken, api: api);

    public Task<HttpResponseMessage> PostAsync(string path, object body) => SendAsync(HttpMethod.Post, path, body);

    /// <summary>The newest mail to this person with a subject.</summary>
    public Task<CaughtMail> MailAsync(string subject) => Mailbox.NextAsync(_ariya.MailDev, Email, subject);

    /// <summary>Everything that was sent to this person, in order, once nothing is on its way any more.</summary>
    public Task<IReadOnlyList<CaughtMail>> AllMailsAsync() =>
        Wait.UntilAsync($"all mail to {Email}", TimeSpan.FromSeconds(30), async () =>
        {
            var counts = (await _ariya.ScalarAsync<long[]>(
                """
                select array[count(*) filter (where state in ('pending', 'leased', 'retry')), count(*) filter (where state = 'sent')]
                from outbox_messages where recipient = $1
                """, Email))!;
            var caught = await Mailbox.AllAsync(_ariya.MailDev, Email);
            return counts[0] == 0 && caught.Count == counts[1] ? caught : null;
        });

    public async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, object? body, string? accessToken = null, string? idempotencyKey = null, string? ifMatch = null, HttpClient? api = null)
    {
        using var request = new HttpRequestMessage(method, path) { Content = body is null ? null : JsonContent.Create(body) };
        request.Headers.TryAddWithoutValidation("User-Agent", UserAgent);
        if (Ip is not null)
        {
            request.Headers.Add("X-Forwarded-For", Ip);
        }

        if (accessToken is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", accessToken);
        }

        if (idempotencyKey is not null)
        {
            request.Headers.Add("Idempotency-Key", idempotencyKey);
        }

        if (ifMatch is not null)
        {
            request.Headers.TryAddWithoutValidation("If-Match", ifMatch);
        }

        return await (api ?? _ariya.Api).SendAsync(request);
    }

    public static async Task<Tokens> TokensAsync(HttpResponseMessage answer)
    {
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = (await answer.Content.ReadFromJsonAsync<JsonObject>())!;
        return new Tokens((string)body["accessToken"]!, (string)body["refreshToken"]!, body);
    }

    /// <summary>The code of a refusal, after asserting its status.</summary>
    public static async Task<string?> CodeAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(status == answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
        return (string?)JsonNode.Parse(text)!["code"];
    }

    public static async Task<string?> StatusAsync(HttpResponseMessage answer)
    {
        var text = await answer.Content.ReadAsStringAsync();
        Assert.True(HttpStatusCode.OK == answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
        return (string?)JsonNode.Parse(text)!["status"];
    }
}
