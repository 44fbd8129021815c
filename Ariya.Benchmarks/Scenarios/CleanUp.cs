using System.Diagnostics;
using Ariya.Benchmarks.Ground;
using Ariya.Benchmarks.Measuring;
using Ariya.Data;
using Ariya.Worker.Cleanup;
using Microsoft.Extensions.Options;
using Npgsql;

namespace Ariya.Benchmarks.Scenarios;

/// <summary>
/// Expired tokens removed batch by batch, each its own commit; against one DELETE on a copy of the table. They lie in the order in which they came, with
/// one that is still good after every five.
/// </summary>
internal static class CleanUp
{
    public static async Task RunAsync(Bench bench)
    {
        await using var database = new Database(await bench.Servers.CreateDatabaseAsync("clean_up"));
        var (expired, live) = (bench.Effort.ExpiredRows, bench.Effort.ExpiredRows / 5);
        await database.ExecuteAsync("create table plain_tokens (like one_time_tokens including all)");
        await database.ExecuteAsync("create table source_tokens (like one_time_tokens)");
        await database.ExecuteAsync(
            """
            insert into source_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, created_at, expires_at, code_attempts)
            select uuidv7(), 'verify_email', md5('r' || n)::uuid, n || '@example.com', sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'benchmark', now() - interval '60 days',
                   n * interval '1 millisecond' + case when n % 6 = 0 then now() + interval '1 day' else now() - interval '30 days' end, 0
            from generate_series(1, $1) n
            """, expired + live);
        var ours = new Side("clean-up, batch by batch", async _ =>
        {
            await FillAsync(database, "one_time_tokens");
            await using var source = NpgsqlDataSource.Create(DatabaseConnection.Tune(database.Connection, "ariya-worker"));
            var started = Stopwatch.GetTimestamp();
            var removed = await new CleanupRun(new AriyaDatabase(source), TimeProvider.System, Options.Create(new CleanupOptions())).RunAsync(
                [CleanupSteps.Tokens(new RetentionOptions())], _ => Task.CompletedTask, CancellationToken.None);
            return await RateAsync(database, "one_time_tokens", removed, started);
        });
        var plain = new Side("one DELETE", async _ =>
        {
            await FillAsync(database, "plain_tokens");
            var started = Stopwatch.GetTimestamp();
            var removed = await database.ScalarAsync<long>(
                "with d as (delete from plain_tokens where expires_at < clock_timestamp() - interval '7 days' returning 1) select count(*) from d");
            return await RateAsync(database, "plain_tokens", removed, started);
        });
        bench.Report.Add(await new Comparison($"Clean-up of {expired:N0} rows", ours, plain) { Target = 0.70, Unit = "rows", Rounds = bench.Effort.ExpiredRounds, Length = TimeSpan.FromSeconds(1) }.RunAsync());

        async Task<double> RateAsync(Database database, string table, long removed, long started)
        {
            var took = Stopwatch.GetElapsedTime(started);
            var left = await database.ScalarAsync<long>($"select count(*) from {table}");
            return removed == expired && left == live ? removed / took.TotalSeconds : throw new WrongWorkException($"{removed} of {expired} are removed, {left} of {live} left.");
        }
    }

    private static async Task FillAsync(Database database, string table)
    {
        await database.ExecuteAsync($"truncate {table}");
        await database.ExecuteAsync($"insert into {table} select * from source_tokens");
        await database.ExecuteAsync($"vacuum (analyze) {table}");
        await database.ExecuteAsync("checkpoint");
    }
}
