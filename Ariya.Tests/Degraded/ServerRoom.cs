using System.Buffers.Text;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using Ariya.Data.Passwords;
using Ariya.Data.Tokens;
using Ariya.Tests.Contract;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Npgsql;

namespace Ariya.Tests.Degraded;

/// <summary>
/// A PostgreSQL of its own for tests that start API instances of their own, with settings and servers of their choice; each test gets a
/// database as <c>migrate</c> leaves it.
/// </summary>
public sealed class ServerRoom : IAsyncLifetime
{
    public const string Password = "a sentence nobody else types";

    private RedisServer? _redis;
    private string _passwordHash = "";

    internal TemplatePostgres Postgres { get; } = new("roompostgres");

    /// <summary>For tests that do not take it away; empty when a test begins.</summary>
    internal RedisServer Redis => _redis!;

    public async Task InitializeAsync()
    {
        await Postgres.InitializeAsync(async connection =>
        {
            await using var migrate = await WorkerProcess.CommandAsync(connection, ["migrate"], null, ("JWT_SECRET", ApiHost.JwtSecret));
            Assert.True(migrate.ExitCode == 0, migrate.Output);
        });
        // Hashing is not what is tried here; one is made and used for everybody.
        _passwordHash = PasswordHash.Create(PasswordHash.CanCompute(PasswordHash.Argon2id) ? PasswordHash.Argon2id : PasswordHash.Pbkdf2, Password);
        _redis = await RedisServer.StartAsync(RedisServer.Garnet);
    }

    public async Task DisposeAsync()
    {
        if (_redis is not null)
        {
            await _redis.DisposeAsync();
        }

        await Postgres.EndAsync();
    }

    internal async Task<Room> OpenAsync()
    {
        await Redis.CommandAsync("FLUSHALL");
        return new Room(Postgres, await Postgres.CreateDatabaseAsync(), _passwordHash);
    }
}

/// <summary>What one test has: a database, the API instances it starts, and people with accounts.</summary>
internal sealed class Room(TemplatePostgres server, string database, string passwordHash) : IAsyncDisposable
{
    // A test names the network that a request comes from.
    private static readonly (string, string) s_proxies = ("Proxies:Networks", "127.0.0.0/8,::1/128");

    private readonly List<ApiHost> _instances = [];
    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(server.To(database));

    public string Connection => server.To(database);

    public string Database => database;

    /// <summary>Of <see cref="ServerRoom.Password"/>.</summary>
    public string PasswordHash => passwordHash;

    /// <summary>An API instance; its limits are the product's own unless a setting says otherwise, and it waits for Redis, and for its own work, as long as a busy machine needs.</summary>
    public ApiHost StartApi(string? redis, params (string Name, string Value)[] settings) =>
        StartApi(redis, Connection, [("Redis:Patience", "00:00:05"), ("Requests:Timeout", "00:01:00"), .. settings]);

    public ApiHost StartApi(string? redis, string connection, params (string Name, string Value)[] settings)
    {
        var api = ApiHost.With(connection, redis, [s_proxies, .. settings]);
        _instances.Add(api);
        return api;
    }

    /// <summary>A verified account.</summary>
    public async Task<string> AddAccountAsync()
    {
        var email = $"{Guid.CreateVersion7():N}@example.com";
        await SqlAsync(
            """
            insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, updated_at)
            values ($1, $2, $2, 'Grace', 'Hopper', $3, now() - interval '1 hour')
            """, Guid.CreateVersion7(), email, passwordHash);
        return email;
    }

    /// <summary>A link for a new password, as the worker mints it an hour before it ends; its token.</summary>
    public async Task<string> AddResetLinkAsync(string email)
    {
        var token = Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));
        await SqlAsync("update accounts set password_changed_at = now() - interval '1 hour' where email_canonical = $1", email);
        await SqlAsync(
            """
            with m as (
              insert into outbox_messages (id, mail_id, kind, recipient, state, deliver_before, salt)
              values (gen_random_uuid(), gen_random_uuid(), 'mail.password-reset.v1', $1, 'sent', now(), '\x00') returning id)
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            select m.id, $2, a.id, $1, $3, '\x00', 'key', now() + interval '1 hour' from m, accounts a where a.email_canonical = $1
            """, email, OneTimeToken.ResetPassword, OneTimeTokenKeys.Hash(token)!);
        return token;
    }

    public async Task<int> SqlAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteNonQueryAsync();
    }

    public async Task<T?> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    /// <summary>After the server was stopped, those that a test holds are dead.</summary>
    public void ForgetConnections() => _source.Clear();

    public async ValueTask DisposeAsync()
    {
        foreach (var instance in _instances)
        {
            await instance.DisposeAsync();
        }

        await _source.DisposeAsync();
        await server.DropDatabaseAsync(database);
    }

    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = _source.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return command;
    }
}

internal static class Requests
{
    /// <summary>One request, from a network of the test's choice.</summary>
    public static async Task<HttpResponseMessage> CallAsync(
        this HttpClient client, HttpMethod method, string path, object? body = null, string? from = null, string? token = null, string? key = null,
        CancellationToken cancellationToken = default)
    {
        using var request = new HttpRequestMessage(method, path);
        request.Content = body switch { null => null, HttpContent content => content, _ => JsonContent.Create(body) };
        if (from is not null)
        {
            request.Headers.Add("X-Forwarded-For", from);
        }

        if (token is not null)
        {
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", token);
        }

        if (key is not null)
        {
            request.Headers.TryAddWithoutValidation("Idempotency-Key", key);
        }

        return await client.SendAsync(request, cancellationToken);
    }

    public static Task<HttpResponseMessage> LoginAsync(
        this HttpClient client, string email, string? from = null, string password = ServerRoom.Password, string path = "/api/v1/auth/login") =>
        client.CallAsync(HttpMethod.Post, path, new { email, password }, from);

    public static Task<HttpResponseMessage> ForgotAsync(this HttpClient client, string email, string? from = null, string? key = null) =>
        client.CallAsync(HttpMethod.Post, "/api/v1/auth/forgot-password", new { email }, from, key: key);
}

[CollectionDefinition(Name)]
public sealed class ServerRoomTests : ICollectionFixture<ServerRoom>
{
    public const string Name = "A PostgreSQL for instances of the API";
}

// Faults take their time: each kind of server has a room of its own, beside the others.
[CollectionDefinition(Name)]
public sealed class RedisFaultRoom : ICollectionFixture<ServerRoom>
{
    public const string Name = "A PostgreSQL beside a Redis that fails";
}

[CollectionDefinition(Name)]
public sealed class DatabaseFaultRoom : ICollectionFixture<ServerRoom>
{
    public const string Name = "A PostgreSQL that fails";
}
