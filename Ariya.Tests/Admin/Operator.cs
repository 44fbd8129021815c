using System.Net;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Admin;

/// <summary>An admin who is signed in, as a test speaks of them.</summary>
internal sealed class Operator
{
    private readonly RunningAriya _ariya;
    private readonly Tokens _tokens;

    private Operator(RunningAriya ariya, Person person, Tokens tokens, Guid id) => (_ariya, Person, _tokens, Id) = (ariya, person, tokens, id);

    public Person Person { get; }

    public Guid Id { get; }

    public string AccessToken => _tokens.Access;

    public static async Task<Operator> SignInAsync(RunningAriya ariya)
    {
        var person = await Person.WithAccountAsync(ariya);
        await ariya.SqlAsync("update accounts set roles = '{admin}' where email_canonical = $1", person.Email);
        return new Operator(ariya, person, await person.SignInAsync(), await ariya.AccountIdAsync(person));
    }

    public Task<HttpResponseMessage> SendAsync(
        HttpMethod method, string path, object? body = null, HttpClient? api = null, string? idempotencyKey = null) =>
        Person.SendAsync(method, $"/api/v1/admin/{path}", body, AccessToken, idempotencyKey, api: api);

    public async Task<JsonNode> GetAsync(string path) => await ReadAsync(await SendAsync(HttpMethod.Get, path), HttpStatusCode.OK);

    public Task<HttpResponseMessage> DisableAsync(Guid account, string reason = "other", HttpClient? api = null) =>
        SendAsync(HttpMethod.Post, $"accounts/{account}/disable", new { reason }, api);

    /// <summary>Events of a kind that this operator caused.</summary>
    public Task<long> AuditedAsync(string kind, Guid? subject = null) => _ariya.ScalarAsync<long>(
        "select count(*) from audit_events where kind = $1 and starts_with(detail, $2) and ($3 = '' or account_id::text = $3)",
        kind, $"by {Id}", subject?.ToString() ?? "");

    public static async Task<JsonNode> ReadAsync(HttpResponseMessage answer, HttpStatusCode status)
    {
        using (answer)
        {
            var text = await answer.Content.ReadAsStringAsync();
            Assert.True(status == answer.StatusCode, $"{(int)answer.StatusCode}: {text}");
            return JsonNode.Parse(text)!;
        }
    }
}

internal static class AdminRows
{
    public static Task<Guid> AccountIdAsync(this RunningAriya ariya, Person person) =>
        ariya.ScalarAsync<Guid>("select id from accounts where email_canonical = $1", person.Email);

    /// <summary>A mail of the outbox that no worker takes before it is told to.</summary>
    public static async Task<Guid> MailAsync(
        this RunningAriya ariya, string recipient, string state, string kind = "mail.password-reset.v1", string payload = "{}")
    {
        var id = Guid.CreateVersion7();
        await ariya.SqlAsync(
            """
            insert into outbox_messages (id, mail_id, kind, payload, recipient, state, due_at, deliver_before, salt, created_at, settled_at)
            values ($1, gen_random_uuid(), $2, $3::jsonb, $4, $5, clock_timestamp() + interval '1 hour', clock_timestamp() + interval '1 day', 'planted salt',
                    clock_timestamp() - interval '1 minute', case when $5 in ('pending', 'retry', 'leased') then null else clock_timestamp() end)
            """, id, kind, payload, recipient, state);
        return id;
    }

    public static Task<string?> MailStateAsync(this RunningAriya ariya, Guid mail) =>
        ariya.ScalarAsync<string>("select state from outbox_messages where id = $1", mail);
}
