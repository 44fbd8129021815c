using System.Security.Cryptography;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;
using Ariya.Tests.Mail.Relay;
using Npgsql;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>An outbox row as a test looks at it.</summary>
internal sealed record RowState(string State, int Attempts, string? Reason, bool IsLeased, double DueInSeconds);

/// <summary>A database, a relay and workers of this process; base of the outbox tests.</summary>
[Collection(MailPostgresTests.Name)]
public abstract class OutboxRoom(MailPostgres postgres) : IAsyncLifetime
{
    private readonly List<InProcessWorker> _workers = [];

    internal ScriptedRelay Relay { get; private set; } = new();
    protected string DatabaseName { get; private set; } = "";
    protected MailPostgres Postgres => postgres;
    protected string Connection => postgres.To(DatabaseName);
    private NpgsqlDataSource Source { get; set; } = null!;

    public async Task InitializeAsync()
    {
        DatabaseName = await postgres.CreateDatabaseAsync();
        Source = NpgsqlDataSource.Create(postgres.To(DatabaseName));
    }

    public async Task DisposeAsync()
    {
        foreach (var worker in _workers)
        {
            await worker.DisposeAsync();
        }

        await Relay.DisposeAsync();
        await Source.DisposeAsync();
        await postgres.DropDatabaseAsync(DatabaseName);
    }

    internal InProcessWorker Worker(Action<WorkerSettings>? change = null)
    {
        var settings = new WorkerSettings { Connection = postgres.To(DatabaseName), RelayPort = Relay.Port };
        change?.Invoke(settings);
        var worker = new InProcessWorker(settings);
        _workers.Add(worker);
        return worker;
    }

    internal async Task MoveRelayAwayAsync() => await Relay.DisposeAsync();

    internal void BringRelayBack() => Relay = new ScriptedRelay(port: Relay.Port);

    protected Task<Guid> AddAsync(string kind, string? recipient, string payload = "{}") => AddIdAsync(
        """
        insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
        values ($1, $2, $3, $4::jsonb, $5, clock_timestamp() + interval '24 hours', $6)
        """, Guid.CreateVersion7(), kind, payload, (object?)recipient ?? DBNull.Value, RandomNumberGenerator.GetBytes(16));

    protected async Task<Guid> AccountAsync(string email, string firstName = "Grace", string lastName = "Hopper")
    {
        var id = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, password_changed_at)
            values ($1, $2, $2, $3, $4, 'none', clock_timestamp() - interval '1 day')
            """, id, email, firstName, lastName);
        return id;
    }

    /// <summary>An account and its welcome mail: the simplest mail there is.</summary>
    protected async Task<Guid> WelcomeAsync(string email) =>
        await AddAsync(MailKinds.Welcome, email, $$"""{"accountId":"{{await AccountAsync(email)}}"}""");

    /// <summary>Welcome mails to <c>p1@example.com</c> and so on, with accounts, in one statement.</summary>
    protected Task<int> WelcomesAsync(int count, string domain = "example.com") =>
        ManyAsync(count, domain, MailKinds.Welcome, "jsonb_build_object('accountId', id)");

    /// <summary>Requests for reset links, as many accounts as mails.</summary>
    protected Task<int> ResetMailsAsync(int count, string domain = "example.com") => ManyAsync(count, domain, MailKinds.PasswordReset, "'{}'");

    private Task<int> ManyAsync(int count, string domain, string kind, string payload) => SqlAsync(
        $"""
         with a as (
           insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, password_changed_at)
           select gen_random_uuid(), 'p' || n || '@' || $2::text, 'p' || n || '@' || $2::text, 'Grace', 'Hopper', 'none', clock_timestamp() - interval '1 day'
           from generate_series(1, $1::int) n
           returning id, email)
         insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
         select gen_random_uuid(), gen_random_uuid(), $3::text, {payload}::jsonb, email, clock_timestamp() + interval '1 hour', '\x00' from a
         """, count, domain, kind);

    protected async Task<Guid> RegistrationAsync(string email, string firstName = "Grace", string lastName = "Hopper")
    {
        var id = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent,
                                       expires_at)
            values ($1, $2, $2, 'none', $3, $4, $5, '192.0.2.0/24', 'Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0',
                    clock_timestamp() + interval '7 days')
            """, id, email, firstName, lastName, RandomNumberGenerator.GetBytes(32));
        return id;
    }

    protected async Task<Guid> RegistrationMailAsync(string email) =>
        await AddAsync(MailKinds.Registration, email, $$"""{"registrationId":"{{await RegistrationAsync(email)}}"}""");

    internal async Task<RowState> RowAsync(Guid id)
    {
        await using var command = Command(
            """
            select state, attempts, reason, lease_owner is not null, extract(epoch from due_at - clock_timestamp())::float8
            from outbox_messages where id = $1
            """, [id]);
        await using var row = await command.ExecuteReaderAsync();
        Assert.True(await row.ReadAsync());
        var reason = row.IsDBNull(2) ? null : row.GetString(2);
        return new RowState(row.GetString(0), row.GetInt32(1), reason, row.GetBoolean(3), row.GetDouble(4));
    }

    /// <summary>As if the wait were over: the row may be taken now.</summary>
    protected Task MakeDueAsync(Guid id) =>
        SqlAsync("update outbox_messages set due_at = clock_timestamp() - interval '1 second' where id = $1", id);

    /// <summary>Whether a mailed link would be taken.</summary>
    protected async Task<bool> WorksAsync(string token) => await ScalarAsync<bool>(
        "select count(*) = 1 from one_time_tokens where token_hash = $1 and consumed_at is null and expires_at > clock_timestamp()",
        OneTimeTokenKeys.Hash(token)!);

    internal ReceivedMail Mail(string recipient) => ReceivedMail.Parse(Relay.Accepted.Last(mail => mail.Recipient == recipient).Content);

    protected async Task<int> SqlAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteNonQueryAsync();
    }

    protected async Task<T?> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return await command.ExecuteScalarAsync() is T value ? value : default;
    }

    private async Task<Guid> AddIdAsync(string sql, Guid mailId, params object[] parameters)
    {
        var id = Guid.CreateVersion7();
        await SqlAsync(sql, [id, mailId, .. parameters]);
        return id;
    }

    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = Source.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return command;
    }
}
