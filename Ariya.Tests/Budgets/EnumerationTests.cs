using System.Globalization;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Budgets;

/// <summary>Counted by the server: whoever reads its statistics cannot tell which of two hundred addresses had an account.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class EnumerationTests(RunningAriya ariya)
{
    private const int Calls = 200;

    // What the instances and the worker do by themselves, as often as their clocks say.
    private static readonly string[] s_background =
    [
        "skip locked", "where revoked_at >", "worker_heartbeats", "signing_keys", "pg_stat_statements",
        "from deployment_settings", "outbox_attempts", "audit_seals", "(at, id) >", "scheduled_runs", "pg_snapshot",
    ];

    [Fact]
    [Trait("Promise", "P22")]
    public async Task WrongPasswordsOfKnownAndOfUnknownAddressesRunTheSameStatements()
    {
        await ariya.SqlAsync("create extension if not exists pg_stat_statements");
        var known = await Person.WithAccountAsync(ariya);
        var unknown = new Person(ariya);
        await SettledAsync(known);

        var ofKnown = await CountAsync(known);
        var ofUnknown = await CountAsync(unknown);
        Assert.Equal(ofKnown, ofUnknown);
        Assert.True(ofKnown.Count == 2, string.Join('\n', ofKnown));
        Assert.All(ofKnown, statement => Assert.StartsWith($"{Calls} calls", statement.Value, StringComparison.Ordinal));
    }

    // Mails of earlier tests, and of this one, are nobody's statements any more.
    private Task<object> SettledAsync(Person known) => Wait.UntilAsync("the outbox to be empty", TimeSpan.FromSeconds(30), async () =>
        await ariya.ScalarAsync<long>(
            """
            select count(*) from outbox_messages
            where kind <> 'mail.of-a-test.v1' and state in ('pending', 'retry', 'leased') and due_at < clock_timestamp() + interval '65 seconds'
            """) == 0
            ? (object)known : null);

    /// <summary>By statement: calls and rows that a number of wrong passwords cost.</summary>
    private async Task<SortedDictionary<string, string>> CountAsync(Person person)
    {
        var before = await ReadAsync();
        var answers = await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ =>
        {
            var codes = new List<int>();
            for (var call = 0; call < Calls / 2; call++)
            {
                codes.Add((int)(await person.LoginAsync("not the sentence at all")).StatusCode);
            }

            return codes;
        }));
        Assert.All(answers.SelectMany(codes => codes), status => Assert.Contains(status, new[] { 401, 429 }));
        var after = await ReadAsync();
        return new SortedDictionary<string, string>(after.Where(row => row.Value != before.GetValueOrDefault(row.Key))
            .ToDictionary(row => row.Key, row =>
            {
                var (calls, rows) = before.GetValueOrDefault(row.Key);
                return string.Create(CultureInfo.InvariantCulture, $"{row.Value.Calls - calls} calls, {row.Value.Rows - rows} rows");
            }), StringComparer.Ordinal);
    }

    private async Task<Dictionary<string, (long Calls, long Rows)>> ReadAsync()
    {
        await using var command = ariya.Database.CreateCommand(
            """
            select s.query, sum(s.calls)::bigint, sum(s.rows)::bigint
            from pg_stat_statements s join pg_database d on d.oid = s.dbid and d.datname = current_database()
            where lower(s.query) not in ('select $1', 'discard all') and s.query not ilike all (select '%' || b || '%' from unnest($1) b)
            group by s.query
            """);
        command.Parameters.Add(new Npgsql.NpgsqlParameter { Value = s_background });
        await using var reader = await command.ExecuteReaderAsync();
        var rows = new Dictionary<string, (long, long)>(StringComparer.Ordinal);
        while (await reader.ReadAsync())
        {
            rows[reader.GetString(0)] = (reader.GetInt64(1), reader.GetInt64(2));
        }

        return rows;
    }
}
