using Ariya.Tests.Distributed;

namespace Ariya.Tests.Sessions;

/// <summary>The row behind a pair of tokens, to be moved in time and looked at.</summary>
internal sealed class SessionRow(RunningAriya ariya, Tokens tokens)
{
    // v1.{sessionId}.{generation}.{proof}
    public Guid Id { get; } = Guid.ParseExact(tokens.Refresh.Split('.')[1], "N");

    public Task<T?> GetAsync<T>(string column) => ariya.ScalarAsync<T>($"select {column} from sessions where id = $1", Id);

    public async Task SetAsync(string change) => Assert.Equal(1, await ariya.SqlAsync($"update sessions set {change} where id = $1", Id));

    public Task RotatedAgoAsync(string interval) => SetAsync($"rotated_at = clock_timestamp() - interval '{interval}'");

    public Task<long> AuditedAsync(string kind) =>
        ariya.ScalarAsync<long>("select count(*) from audit_events where session_id = $1 and kind = $2", Id, kind);

    /// <summary>How many mails say that an old sign-in of this session was used.</summary>
    public Task<long> TheftMailsAsync() => ariya.ScalarAsync<long>(
        "select count(*) from outbox_messages where kind = 'mail.old-sign-in-used.v1' and payload->>'sessionId' = $1", Id.ToString());
}

internal static class RefreshSteps
{
    public static async Task<Tokens> RefreshedAsync(
        this Person person, Tokens tokens, string? idempotencyKey = null, HttpClient? api = null) =>
        await Person.TokensAsync(await person.TryRefreshAsync(tokens, idempotencyKey, api));

    public static Task<HttpResponseMessage> TryRefreshAsync(
        this Person person, Tokens tokens, string? idempotencyKey = null, HttpClient? api = null) =>
        person.SendAsync(
            HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = tokens.Refresh }, idempotencyKey: idempotencyKey, api: api);

    /// <summary>The one refusal that refresh knows.</summary>
    public static async Task AssertEndedAsync(this Person person, Tokens tokens, string? idempotencyKey = null) =>
        Assert.Equal("session_ended", await Person.CodeAsync(
            await person.TryRefreshAsync(tokens, idempotencyKey), System.Net.HttpStatusCode.Unauthorized));

    /// <summary>A second sign-in somewhere else of the same person.</summary>
    public static Person Elsewhere(this Person person, RunningAriya ariya, string? ip = null, string? userAgent = null) =>
        new(ariya, person.Email)
        {
            Password = person.Password,
            Ip = ip ?? person.Ip,
            UserAgent = userAgent ?? person.UserAgent,
        };
}
