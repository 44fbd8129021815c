using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.Json.Nodes;
using Aspire.Hosting.Testing;
using Npgsql;

namespace Ariya.Tests.Distributed;

[Collection(RunningAriyaTests.Name)]
public sealed class FirstSliceTests(RunningAriya ariya)
{
    private const string Password = "a sentence nobody else types";

    [Fact]
    [Trait("Promise", "P06")]
    public async Task APersonRegistersVerifiesAndSignsIn()
    {
        const string Email = "grace@example.com";
        Assert.Equal(HttpStatusCode.Accepted, (await RegisterAsync(Email)).StatusCode);
        Assert.Equal("email_not_verified", await CodeAsync(await LoginAsync(Email), HttpStatusCode.Forbidden));

        var mail = await Mailbox.NextAsync(ariya.MailDev, Email, "Confirm your e-mail address");
        Assert.Contains("Grace Hopper", mail.Text, StringComparison.Ordinal);
        Assert.Contains(mail.Token, mail.Html, StringComparison.Ordinal);

        Assert.Equal("verified", await VerifyAsync(mail.Token));
        Assert.Equal("already_verified", await VerifyAsync(mail.Token));
        await Mailbox.NextAsync(ariya.MailDev, Email, "Welcome");

        var login = await LoginAsync(Email);
        Assert.Equal(HttpStatusCode.OK, login.StatusCode);
        var tokens = (await login.Content.ReadFromJsonAsync<JsonObject>())!;
        Assert.Equal("Bearer", (string?)tokens["tokenType"]);
        Assert.Equal(600, (int?)tokens["expiresIn"]);

        using var request = new HttpRequestMessage(HttpMethod.Get, "/api/v1/account");
        request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", (string?)tokens["accessToken"]);
        var account = await ariya.Api.SendAsync(request);
        Assert.Equal(HttpStatusCode.OK, account.StatusCode);
        Assert.Equal(Email, (string?)(await account.Content.ReadFromJsonAsync<JsonObject>())!["email"]);
    }

    [Fact]
    public async Task OpeningTheLinkChangesNothingAndItsButtonVerifies()
    {
        const string Email = "katherine@example.com";
        await RegisterAsync(Email);
        var token = (await Mailbox.NextAsync(ariya.MailDev, Email, "Confirm your e-mail address")).Token;

        for (var scan = 0; scan < 3; scan++)
        {
            var page = await ariya.Api.GetAsync($"/verify-email?token={token}");
            Assert.Equal(HttpStatusCode.OK, page.StatusCode);
            Assert.Contains("<button", await page.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        }

        Assert.Equal("email_not_verified", await CodeAsync(await LoginAsync(Email), HttpStatusCode.Forbidden));
        using var form = new FormUrlEncodedContent([new("token", token)]);
        var pressed = await ariya.Api.PostAsync("/verify-email", form);
        Assert.Contains("Your address is confirmed", await pressed.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        Assert.DoesNotContain(token, pressed.RequestMessage!.RequestUri!.ToString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await LoginAsync(Email)).StatusCode);
    }

    [Fact]
    public async Task OneTraceRunsFromTheRequestThroughTheOutboxRowToTheRelay()
    {
        const string Email = "annie@example.com";
        var traceId = Convert.ToHexStringLower(Guid.CreateVersion7().ToByteArray());
        using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/register") { Content = Registration(Email) };
        request.Headers.Add("traceparent", $"00-{traceId}-00f067aa0ba902b7-01");
        Assert.Equal(HttpStatusCode.Accepted, (await ariya.Api.SendAsync(request)).StatusCode);
        await Mailbox.NextAsync(ariya.MailDev, Email, "Confirm your e-mail address");

        await using var database = NpgsqlDataSource.Create((await ariya.App.GetConnectionStringAsync("ariyadb"))!);
        await using var command = database.CreateCommand("select traceparent from outbox_messages where recipient = $1");
        command.Parameters.Add(new NpgsqlParameter { Value = Email });
        Assert.Contains(traceId, (string?)await command.ExecuteScalarAsync(), StringComparison.Ordinal);

        string[] expected = ["api: POST /api/v1/auth/register", "worker: outbox send", "worker: smtp send"];
        var spans = await Wait.UntilAsync("the spans of the trace", TimeSpan.FromSeconds(30), () => Task.FromResult(
            ariya.Collector.Spans.Where(span => span.TraceId == traceId).Select(span => $"{span.Service}: {span.Name}").ToList()
                is var names && expected.All(names.Contains) ? names : null));
        Assert.Superset(expected.ToHashSet(), spans.ToHashSet());
    }

    private Task<HttpResponseMessage> RegisterAsync(string email) => ariya.Api.PostAsync("/api/v1/auth/register", Registration(email));

    private static JsonContent Registration(string email) =>
        JsonContent.Create(new { email, password = Password, firstName = "Grace", lastName = "Hopper" });

    private Task<HttpResponseMessage> LoginAsync(string email) =>
        ariya.Api.PostAsJsonAsync("/api/v1/auth/login", new { email, password = Password });

    private async Task<string?> VerifyAsync(string token)
    {
        var answer = await ariya.Api.PostAsJsonAsync("/api/v1/auth/verify-email", new { token });
        return (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["status"];
    }

    private static async Task<string?> CodeAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        Assert.Equal(status, answer.StatusCode);
        return (string?)(await answer.Content.ReadFromJsonAsync<JsonObject>())!["code"];
    }
}
