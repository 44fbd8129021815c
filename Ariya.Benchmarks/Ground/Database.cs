using System.Diagnostics;
using Ariya.Benchmarks.Measuring;
using Npgsql;

namespace Ariya.Benchmarks.Ground;

/// <summary>One database and what is asked of it by the benchmark itself.</summary>
internal sealed class Database(string connection) : IAsyncDisposable
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(10);
    private static readonly TimeSpan s_patience = TimeSpan.FromMinutes(2);

    private readonly NpgsqlDataSource _source = NpgsqlDataSource.Create(
        new NpgsqlConnectionStringBuilder(connection) { CommandTimeout = 0, MaxPoolSize = 4 }.ConnectionString);

    public string Connection => connection;

    public string Name => new NpgsqlConnectionStringBuilder(connection).Database!;

    public async Task ExecuteAsync(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        await command.ExecuteNonQueryAsync();
    }

    public async Task<T> ScalarAsync<T>(string sql, params object[] parameters)
    {
        await using var command = Command(sql, parameters);
        return (T)(await command.ExecuteScalarAsync())!;
    }

    /// <summary>Asks a question again and again until its answer is yes.</summary>
    /// <param name="question">A statement that answers true or false.</param>
    /// <param name="what">Is waited for, for the error.</param>
    /// <param name="hasEnded">Whether it cannot come any more.</param>
    public async Task UntilAsync(string question, string what, Func<bool>? hasEnded = null)
    {
        for (var started = Stopwatch.GetTimestamp(); !await ScalarAsync<bool>(question); await Task.Delay(s_pause))
        {
            if (Stopwatch.GetElapsedTime(started) > s_patience || hasEnded?.Invoke() is true)
            {
                throw new WrongWorkException($"Waited in vain: {what}.");
            }
        }
    }

    /// <summary>Mails by the left part of their Message-ID, with the time of their row.</summary>
    public async IAsyncEnumerable<(string MailId, DateTimeOffset At)> MailsSinceAsync(DateTimeOffset since)
    {
        await using var command = Command("select replace(mail_id::text, '-', ''), created_at from outbox_messages where created_at >= $1", [since]);
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
        {
            yield return (reader.GetString(0), reader.GetFieldValue<DateTimeOffset>(1));
        }
    }

    /// <summary>Accounts with one business in ten, all with one password, and a session each.</summary>
    /// <param name="accounts">How many; the n-th has the address <c>n@example.com</c> and the ids <c>md5('a'||n)</c> and <c>md5('s'||n)</c>.</param>
    /// <param name="passwordHash">Of all of them.</param>
    public async Task LoadAccountsAsync(int accounts, string passwordHash)
    {
        await ExecuteAsync(
            """
            insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, created_at, updated_at)
            select md5('a' || n)::uuid, n || '@example.com', n || '@example.com', 'Grace', 'Hopper', $2, now() - interval '40 days', now() - interval '40 days'
            from generate_series(1, $1) n
            """, accounts, passwordHash);
        await ExecuteAsync(
            """
            insert into vendors (account_id, business_name, category) select md5('a' || n)::uuid, 'Hopper and daughters', 'bakery' from generate_series(1, $1, 10) n
            """, accounts);
        await ExecuteAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at, created_at, last_used_at, rotated_at)
            select md5('s' || n)::uuid, md5('a' || n)::uuid, 1, decode(md5('n' || n), 'hex'), 'Ariya.Benchmarks', '127.0.0.0/24',
                   now() + interval '13 days', now() + interval '29 days', now() - interval '1 day', now() - interval '1 day', now() - interval '1 day'
            from generate_series(1, $1) n
            """, accounts);
        await SettleAsync();
    }

    /// <summary>What was loaded is as if it had long been there.</summary>
    public async Task SettleAsync()
    {
        await ExecuteAsync("vacuum (analyze)");
        await ExecuteAsync("checkpoint");
    }

    public ValueTask DisposeAsync() => _source.DisposeAsync();

#pragma warning disable CA2100 // Statements are literals of this program.
    private NpgsqlCommand Command(string sql, object[] parameters)
    {
        var command = _source.CreateCommand(sql);
        foreach (var parameter in parameters)
        {
            command.Parameters.Add(new NpgsqlParameter { Value = parameter });
        }

        return command;
    }
#pragma warning restore CA2100
}
