using System.Net;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Ariya.Tests.Contract;
using Ariya.Tests.Degraded;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.Mail.Relay;
using Npgsql;

namespace Ariya.Tests.Programs;

/// <summary>API and worker as a deployment runs them: signed in to the database as roles that own nothing.</summary>
[Collection(ServerRoomTests.Name)]
public sealed class RoleTests(ServerRoom server)
{
    private const string RolePassword = "a password of a role in a test";

    private static readonly (string, string) s_secret = ("JWT_SECRET", ApiHost.JwtSecret);

    [Fact]
    public async Task TheProgramsDoAllTheirWorkWithTheRightsThatMigrateGrants()
    {
        await using var room = await server.OpenAsync();
        await GrantAsync(room);
        await using var relay = new ScriptedRelay();
        await using var worker = WorkerProcess.Start(As(room, "ariya_worker"), relay.Port, s_secret);
        await using var api = ApiProcess.Start(As(room, "ariya_api"), server.Redis.ConnectionString);
        await api.ReadyAsync();

        const string Email = "grace@example.com";
        using var registered = await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/register",
            new { email = Email, password = ServerRoom.Password, firstName = "Grace", lastName = "Hopper", vendor = new { businessName = "Hopper", category = "other" } });
        Assert.Equal(HttpStatusCode.Accepted, registered.StatusCode);
        using var verified = await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/verify-email", new { token = await TokenAsync(relay, "verify-email") });
        Assert.Equal(HttpStatusCode.OK, verified.StatusCode);
        using var wrong = await api.Client.LoginAsync(Email, password: "another sentence that is wrong");
        Assert.Equal(HttpStatusCode.Unauthorized, wrong.StatusCode);
        var tokens = await SignInAsync(api.Client, Email, ServerRoom.Password);

        using var renamed = await api.Client.CallAsync(HttpMethod.Patch, "/api/v1/account", new { firstName = "Ada" }, token: tokens.Access, key: "a-key");
        Assert.Equal(HttpStatusCode.OK, renamed.StatusCode);
        using var refreshed = await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/refresh", new { refreshToken = tokens.Refresh });
        Assert.Equal(HttpStatusCode.OK, refreshed.StatusCode);
        using var forgotten = await api.Client.ForgotAsync(Email);
        using var reset = await api.Client.CallAsync(HttpMethod.Post, "/api/v1/auth/reset-password",
            new { token = await TokenAsync(relay, "reset-password"), password = "yet another sentence" });
        Assert.Equal(HttpStatusCode.NoContent, reset.StatusCode);
        var again = await SignInAsync(api.Client, Email, "yet another sentence");
        using var ended = await api.Client.CallAsync(HttpMethod.Delete, "/api/v1/account/sessions", token: again.Access);
        Assert.Equal(HttpStatusCode.NoContent, ended.StatusCode);

        // What the worker does by its schedules.
        foreach (var command in new[] { "cleanup", "rotate-keys", "verify-audit", "check" })
        {
            await using var done = await WorkerProcess.CommandAsync(As(room, "ariya_worker"), [command], null, s_secret,
                ("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", $"{relay.Port}"), ("Retention__Audit", "1.00:00:00"));
            Assert.True(done.ExitCode == 0, $"{command}: {done.Output}");
        }

        Assert.DoesNotContain("permission denied", api.Output + worker.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task NoTableWasForgotten()
    {
        await using var room = await server.OpenAsync();
        await GrantAsync(room);
        Assert.Equal("__EFMigrationsHistory deployment_settings", await room.ScalarAsync<string>(
            """
            select string_agg(relname, ' ' order by relname collate "C") from pg_class
            where relnamespace = current_schema()::regnamespace and relkind = 'r'
              and not (has_table_privilege('ariya_worker', oid, 'insert') and has_table_privilege('ariya_worker', oid, 'delete'))
            """));
    }

    [Fact]
    public async Task NoProgramChangesWhatWasWritten()
    {
        await using var room = await server.OpenAsync();
        await GrantAsync(room);
        await RefusedAsync(room, "ariya_api", "update audit_events set kind = ''", "delete from audit_events", "truncate audit_events",
            "delete from audit_seals", "delete from signing_keys", "update deployment_settings set value = ''", "create table mine (id int)");
        await RefusedAsync(room, "ariya_worker", "update audit_events set kind = ''", "truncate audit_events", "drop table audit_events",
            "update deployment_settings set value = ''");
    }

    private static async Task RefusedAsync(Room room, string role, params string[] statements)
    {
        await using var connection = new NpgsqlConnection(As(room, role));
        await connection.OpenAsync();
        foreach (var statement in statements)
        {
#pragma warning disable CA2100 // They stand above.
            await using var command = new NpgsqlCommand(statement, connection);
#pragma warning restore CA2100
            var refusal = await Assert.ThrowsAsync<PostgresException>(() => command.ExecuteNonQueryAsync());
            Assert.True(refusal.SqlState == PostgresErrorCodes.InsufficientPrivilege, $"{role}, {statement}: {refusal.Message}");
        }
    }

    private async Task GrantAsync(Room room)
    {
        await using var granted = await WorkerProcess.CommandAsync(room.Connection, ["migrate", "--grant"], null, s_secret);
        Assert.True(granted.ExitCode == 0, granted.Output);
        foreach (var role in new[] { "ariya_api", "ariya_worker" })
        {
            await server.Postgres.AdministerAsync($"alter role {role} password '{RolePassword}'");
        }
    }

    private static string As(Room room, string role) =>
        new NpgsqlConnectionStringBuilder(room.Connection) { Username = role, Password = RolePassword, Pooling = false }.ConnectionString;

    private static async Task<string> TokenAsync(ScriptedRelay relay, string page) =>
        await Wait.UntilAsync($"a mail with a link to {page}", TimeSpan.FromSeconds(30), () => Task.FromResult(
            relay.Accepted.Select(mail => Regex.Match(ReceivedMail.Parse(mail.Content).Text, $"{page}\\?token=([A-Za-z0-9_-]+)"))
                .FirstOrDefault(link => link.Success)?.Groups[1].Value));

    private static async Task<(string Access, string Refresh)> SignInAsync(HttpClient api, string email, string password)
    {
        using var answer = await api.LoginAsync(email, password: password);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        var body = (await answer.Content.ReadFromJsonAsync<System.Text.Json.Nodes.JsonNode>())!;
        return ((string)body["accessToken"]!, (string)body["refreshToken"]!);
    }
}
