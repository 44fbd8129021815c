using Ariya.Data.Outbox;
using Ariya.Tests.Mail.Outbox;
using Ariya.Worker.Cleanup;
using Microsoft.Extensions.Options;

namespace Ariya.Tests.Upkeep;

/// <summary>What goes and what stays. Rows on either side of each limit, a minute apart from it.</summary>
public sealed class CleanupTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly RetentionOptions s_kept = new();

    [Fact]
    [Trait("Promise", "P43")]
    [Trait("Promise", "P63")]
    public async Task WhatIsPastItsRetentionGoesAndNothingElse()
    {
        await FillAsync(1);
        var before = await StayAsync();
        Assert.Equal(14, await CleanAsync(batch: 2));
        Assert.Equal(before, await StayAsync());
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from everything where label like 'goes%'"));
        Assert.Equal(0, await CleanAsync(batch: 2));
        Assert.Equal(before, await StayAsync());
    }

    [Fact]
    [Trait("Promise", "P63")]
    public async Task SeveralAtOnceShareTheWork()
    {
        await FillAsync(300);
        var before = await StayAsync();
        var removed = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => CleanAsync(batch: 50)));
        Assert.Equal(before, await StayAsync());
        // A row that one holds is left by the others, for the next run at the latest.
        Assert.Equal(14 * 300, removed.Sum() + await CleanAsync(batch: 50));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from everything where label like 'goes%'"));
    }

    [Fact]
    [Trait("Promise", "P63")]
    public async Task ARowThatSomebodyHoldsIsLeftAndWaitsForNobody()
    {
        await FillAsync(10);
        await using var holder = new Npgsql.NpgsqlConnection(Connection);
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (var hold = new Npgsql.NpgsqlCommand("select 1 from outbox_messages where reason = 'goes sent 3' for update", holder))
        {
            await hold.ExecuteScalarAsync();
        }

        Assert.Equal((14 * 10) - 1, await CleanAsync(batch: 4));
        await transaction.RollbackAsync();
        Assert.Equal(1, await CleanAsync(batch: 4));
    }

    [Fact]
    public async Task TheAddressOfADroppedMailGoesBeforeTheMail()
    {
        var day = await AddAsync(MailKinds.Welcome, "stranger@example.com");
        var younger = await AddAsync(MailKinds.Welcome, "younger@example.com");
        await SqlAsync("update outbox_messages set state = 'dropped', settled_at = clock_timestamp() - interval '1 day 1 minute' where id = $1", day);
        await SqlAsync("update outbox_messages set state = 'dropped', settled_at = clock_timestamp() - interval '23 hours' where id = $1", younger);
        Assert.Equal(1, await CleanAsync());
        Assert.Equal("younger@example.com", await ScalarAsync<string>("select string_agg(recipient, ' ') from outbox_messages"));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from outbox_messages"));
    }

    [Fact]
    [Trait("Promise", "P63")]
    public async Task ADeletedAccountGoesAfterItsTimeWithAllThatHangsOnIt()
    {
        foreach (var (name, deleted, lives) in new[] { ("gone", "30 days 1 minute", "-1 minute"), ("young", "29 days", "-1 minute"), ("live", "31 days", "1 minute") })
        {
            var address = $"{name}@example.com";
            var account = await AccountAsync(address);
            await SqlAsync("insert into vendors (account_id, business_name, category) values ($1, $2, 'software')", account, name);
            await SqlAsync(
                """
                insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at, revoked_at)
                values (gen_random_uuid(), $1, 1, '\x00', $2, 'n', now(), clock_timestamp() + $3::interval, now())
                """, account, name, lives);
            await SqlAsync(
                """
                update accounts set status = 'deleted', deleted_at = clock_timestamp() - $2::interval, email_canonical = 'deleted:' || id || ':' || email_canonical
                where id = $1
                """, account, deleted);
            var dead = await AddAsync(MailKinds.Welcome, address, $$"""{"accountId":"{{account}}"}""");
            await SqlAsync("update outbox_messages set state = 'dead', settled_at = clock_timestamp() - interval '40 days', reason = $2 where id = $1", dead, name);
        }

        // Somebody has the address since then.
        await AccountAsync("gone@example.com");
        Assert.Equal(1, await CleanAsync());
        Assert.Equal("gone active,live deleted,young deleted", await ScalarAsync<string>(
            "select string_agg(split_part(email, '@', 1) || ' ' || status, ',' order by email) from accounts"));
        Assert.Equal("live,young", await ScalarAsync<string>("select string_agg(business_name, ',' order by business_name) from vendors"));
        Assert.Equal("live,young", await ScalarAsync<string>("select string_agg(user_agent, ',' order by user_agent) from sessions"));
        Assert.Equal("gone", await ScalarAsync<string>("select string_agg(reason, ',') from outbox_messages where recipient is null"));
    }

    [Fact]
    public async Task ABatchThatTakesLongIsFollowedByASmallerOne()
    {
        var (clock, sizes) = (new TestClock(DateTimeOffset.UnixEpoch), new List<int>());
        // Five fast batches, three on a disk that has become slow, and the last.
        var step = new CleanupStep("rows", (_, limit) =>
        {
            sizes.Add(limit);
            clock.Advance(TimeSpan.FromMilliseconds(sizes.Count > 5 ? 300 : 5));
            return $"select {(sizes.Count == 9 ? 0 : limit)}::bigint, now()";
        });
        await Worker().UseAsync<Data.AriyaDatabase, long>(db =>
            new CleanupRun(db, clock, Options.Create(new CleanupOptions { BatchSize = 6000 })).RunAsync([step], _ => Task.CompletedTask, CancellationToken.None));
        Assert.Equal([1000, 2000, 4000, 6000, 6000, 6000, 3000, 1500, 750], sizes);
    }

    [Fact]
    public async Task ABatchThatTheDatabaseCutsShortIsTriedAgainSmaller()
    {
        var sizes = new List<int>();
        // What takes longer than a statement may: more than 300 rows.
        var step = new CleanupStep("rows", (_, limit) =>
        {
            sizes.Add(limit);
            return $"select least({limit}, 200)::bigint, now() from pg_sleep(case when {limit} > 300 then 60 else 0 end)";
        });
        var connection = new Npgsql.NpgsqlConnectionStringBuilder(Connection) { Options = "-c statement_timeout=200" }.ConnectionString;
        Assert.Equal(200, await Worker(settings => settings.Connection = connection).UseAsync<Data.AriyaDatabase, long>(db =>
            new CleanupRun(db, TimeProvider.System, Options.Create(new CleanupOptions())).RunAsync([step], _ => Task.CompletedTask, CancellationToken.None)));
        Assert.Equal([1000, 500, 250], sizes);
    }

    private Task<long> CleanAsync(int batch = 2000) => Worker().UseAsync<Data.AriyaDatabase, long>(db =>
        new CleanupRun(db, TimeProvider.System, Options.Create(new CleanupOptions { BatchSize = batch }))
            .RunAsync(CleanupSteps.All(s_kept), _ => Task.CompletedTask, CancellationToken.None));

    private async Task<string> StayAsync() => await ScalarAsync<string>("select string_agg(label, ',' order by label) from everything where label like 'stays%'") ?? "";

    // Every row carries in some column whether it goes or stays.
    private async Task FillAsync(int times)
    {
        await SqlAsync(
            """
            create view everything as
              select user_agent as label from registrations union all select address from one_time_tokens union all select user_agent from sessions
              union all select encode(address_key, 'escape') from sign_in_failures union all select reason from outbox_messages
              union all select content_type from idempotency_keys
            """);
        await SqlAsync(
            """
            insert into registrations (id, email, email_canonical, password_hash, first_name, last_name, fingerprint, network, user_agent, expires_at)
            select gen_random_uuid(), 'a@b.c', 'a@b.c', 'none', 'Grace', 'Hopper', gen_random_uuid()::text::bytea, 'n', label || n, clock_timestamp() + since
            from generate_series(1, $1::int) n, (values ('goes registration ', interval '-1 minute'), ('stays registration ', interval '1 minute')) v (label, since)
            """, times);
        await SqlAsync(
            """
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at, consumed_at)
            select gen_random_uuid(), 'verify_email', gen_random_uuid(), label || n, gen_random_uuid()::text::bytea, '\x00', 'key',
                   clock_timestamp() + since, consumed
            from generate_series(1, $1::int) n, (values
              ('goes late ', interval '-7 days -1 minute', null::timestamptz), ('goes used ', interval '-7 days -1 minute', now()),
              ('stays late ', interval '-6 days -23 hours', null), ('stays used ', interval '1 hour', now()),
              ('stays good ', interval '1 hour', null)) v (label, since, consumed)
            """, times);
        var account = await AccountAsync("grace@example.com");
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at, revoked_at)
            select gen_random_uuid(), $2, 1, '\x00', label || n, 'n', clock_timestamp() + idle, clock_timestamp() + ends, clock_timestamp() + revoked
            from generate_series(1, $1::int) n, (values
              ('goes ended ', interval '-30 days -1 minute', interval '-30 days -1 minute', null::interval),
              ('goes idle ', interval '-30 days -1 minute', interval '-1 minute', null),
              ('goes revoked ', interval '-20 days', interval '-1 minute', interval '-30 days -1 minute'),
              ('stays revoked ', interval '-20 days', interval '1 minute', interval '-30 days -1 minute'),
              ('stays ended ', interval '-29 days', interval '-29 days', null),
              ('stays live ', interval '14 days', interval '30 days', null)) v (label, idle, ends, revoked)
            """, times, account);
        await SqlAsync(
            """
            insert into sign_in_failures (key, address_key, failures, last_failed_at)
            select gen_random_uuid()::text::bytea, (label || n)::bytea, failures, clock_timestamp() + since
            from generate_series(1, $1::int) n, (values
              ('goes few ', 99, interval '-1 day -1 minute'), ('stays off ', 100, interval '-100 days'), ('stays young ', 5, interval '-23 hours')) v (label, failures, since)
            """, times);
        await SqlAsync(
            """
            insert into outbox_messages (id, mail_id, kind, state, reason, settled_at, deliver_before, salt)
            select gen_random_uuid(), gen_random_uuid(), 'mail.welcome.v1', state, label || n, clock_timestamp() + since, clock_timestamp(), '\x00'
            from generate_series(1, $1::int) n, (values
              ('goes sent ', 'sent', interval '-30 days -1 minute'), ('stays sent ', 'sent', interval '-29 days'),
              ('goes dropped ', 'dropped', interval '-7 days -1 minute'), ('stays dropped ', 'dropped', interval '-6 days'),
              ('goes superseded ', 'superseded', interval '-7 days -1 minute'), ('stays superseded ', 'superseded', interval '-6 days'),
              ('goes expired ', 'expired', interval '-7 days -1 minute'), ('stays expired ', 'expired', interval '-6 days'),
              ('goes dead ', 'dead', interval '-90 days -1 minute'), ('stays dead ', 'dead', interval '-89 days'),
              ('goes held ', 'held', interval '-90 days -1 minute'), ('stays held ', 'held', interval '-89 days'),
              ('stays pending ', 'pending', null), ('stays retry ', 'retry', null)) v (label, state, since)
            """, times);
        await SqlAsync(
            """
            insert into idempotency_keys (id, fingerprint, status, content_type, body, created_at)
            select gen_random_uuid()::text::bytea, '\x00', 202, label || n, '\x00', clock_timestamp() + since
            from generate_series(1, $1::int) n, (values ('goes answer ', interval '-1 day -1 minute'), ('stays answer ', interval '-23 hours')) v (label, since)
            """, times);
        await SqlAsync(
            """
            insert into outbox_attempts (id, message_id, attempt, stage, reply, duration_ms)
            select gen_random_uuid(), id, 1, 'rcpt', '250 ok', 1 from outbox_messages
            """);
    }
}
