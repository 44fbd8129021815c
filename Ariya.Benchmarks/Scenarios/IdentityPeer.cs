using System.Globalization;
using System.Text.Json.Nodes;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Load;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>ASP.NET Core's MapIdentityApi with as many accounts.</summary>
internal sealed class IdentityPeer : IAsyncDisposable
{
    // Its rules for passwords are its own.
    private const string Password = "Seven quiet harbours 7!";
    private const int People = 200;

    private readonly RunningProgram _program;
    private readonly Database _database;

    private IdentityPeer(RunningProgram program, Database database)
    {
        _program = program;
        _database = database;
        SignIns = [.. Enumerable.Range(1, People).Select(n => HttpConnection.Request("POST", "/login", Credentials(string.Create(CultureInfo.InvariantCulture, $"{n}@example.com"))))];
    }

    public int Port => _program.Port;

    public byte[][] SignIns { get; }

    public static async Task<IdentityPeer> StartAsync(Bench bench)
    {
        var database = new Database(await bench.Servers.CreateEmptyDatabaseAsync("identity"));
        var program = await bench.Programs.StartPeerAsync(bench.Programs.Identity, "/manage/info", ("ConnectionStrings__accounts", database.Connection));
        using var connection = await HttpConnection.OpenAsync(program.Port);
        ClosedLoop.Expect(200, await connection.SendAsync(HttpConnection.Request("POST", "/register", Credentials("0@example.com"))));
        await database.ExecuteAsync(
            """
            insert into "AspNetUsers" ("Id", "UserName", "NormalizedUserName", "Email", "NormalizedEmail", "EmailConfirmed", "PasswordHash", "SecurityStamp", "ConcurrencyStamp",
              "PhoneNumberConfirmed", "TwoFactorEnabled", "LockoutEnabled", "AccessFailedCount")
            select md5('a' || n)::uuid::text, n || '@example.com', n || '@EXAMPLE.COM', n || '@example.com', n || '@EXAMPLE.COM', true, "PasswordHash", "SecurityStamp", "ConcurrencyStamp",
              false, false, true, 0
            from "AspNetUsers", generate_series(1, $1) n
            """, bench.Effort.Accounts);
        await database.SettleAsync();
        return new IdentityPeer(program, database);
    }

    public async Task<string[]> AccessTokensAsync()
    {
        using var connection = await HttpConnection.OpenAsync(Port);
        var tokens = new List<string>();
        foreach (var signIn in SignIns)
        {
            var reply = await connection.SendAsync(signIn);
            ClosedLoop.Expect(200, reply);
            tokens.Add((string)JsonNode.Parse(reply.Body)!["accessToken"]!);
        }

        return [.. tokens];
    }

    public async ValueTask DisposeAsync()
    {
        await _program.DisposeAsync();
        await _database.DisposeAsync();
    }

    private static string Credentials(string address) => $$"""{"email":"{{address}}","password":"{{Password}}"}""";
}
