using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text.RegularExpressions;
using Ariya.Tests.Admin;
using Ariya.Tests.Distributed;
using Ariya.Tests.Keys;
using Ariya.Worker.Cleanup;
using Npgsql;

namespace Ariya.Tests.Budgets;

/// <summary>
/// The statements that the running application sends, planned by a database with a hundred thousand rows in every table: none of
/// them walks through a table.
/// </summary>
[Collection(RunningAriyaTests.Name)]
public sealed class PlanTests(RunningAriya ariya)
{
    private static readonly string[] s_prepare =
    [
        """
        insert into accounts (id, email, email_canonical, first_name, last_name, password_hash, updated_at)
        select md5('a' || n)::uuid, n || '@example.com', n || '@example.com', 'Grace', 'Hopper', 'none', now() - n * interval '1 minute'
        from generate_series(1, 100000) n
        """,
        """
        insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network,
                              idle_expires_at, expires_at, created_at, revoked_at)
        select md5('s' || n)::uuid, md5('a' || n)::uuid, 1, '\x00', 'browser', '10.0.0.0/24', now() + interval '14 days',
               now() + interval '30 days',
               now() - n * interval '1 minute', case when n % 10 = 0 then now() - n * interval '1 minute' end
        from generate_series(1, 100000) n
        """,
        """
        insert into registrations (id, email, email_canonical, password_hash, first_name, last_name,
                                   fingerprint, network, user_agent, requested_at, expires_at)
        select md5('r' || n)::uuid, n || '@example.com', n || '@example.com', 'none', 'Grace', 'Hopper',
               sha256(n::text::bytea), '10.0.0.0/24', 'browser',
               now() - n * interval '1 minute', now() + interval '7 days'
        from generate_series(1, 100000) n
        """,
        """
        insert into outbox_messages (id, mail_id, kind, recipient, state, due_at, deliver_before, salt, created_at)
        select md5('o' || n)::uuid, md5('m' || n)::uuid, 'mail.welcome.v1', n || '@example.com',
               case when n % 100 = 0 then 'pending' else 'sent' end,
               now() - n * interval '1 minute', now() + interval '1 day', '\x00', now() - n * interval '1 minute'
        from generate_series(1, 100000) n
        """,
        """
        insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
        select md5('o' || n)::uuid, case when n % 2 = 0 then 'verify_email' else 'reset_password' end,
               md5('a' || n)::uuid, n || '@example.com',
               sha256(n::text::bytea), '\x00', 'key', now() + n * interval '1 minute'
        from generate_series(1, 100000) n
        """,
        """
        insert into sign_in_failures (key, address_key, failures, last_failed_at)
        select sha256(n::text::bytea), sha256(n::text::bytea), 1, now() - n * interval '1 minute' from generate_series(1, 100000) n
        """,
        """
        insert into audit_events (id, kind, account_id, address_key, detail, at)
        select md5('e' || n)::uuid, case when n % 1000 = 0 then 'admin.account_read' else 'session.signed_in' end, md5('a' || n)::uuid, '\x00', 'by nobody',
               now() - n * interval '1 minute'
        from generate_series(1, 100000) n
        """,
        """
        insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network, user_agent, expires_at)
        select md5('c' || n)::uuid, md5('a' || n)::uuid, 1, n || '@example.com', n || '@example.com', n || '@example.org', n || '@example.org', '10.0.0.0/24', 'browser',
               now() - n * interval '1 minute'
        from generate_series(1, 100000) n
        """,
        """
        insert into idempotency_keys (id, fingerprint, status, body, created_at)
        select sha256(n::text::bytea), '\x00', 202, '\x00', now() - n * interval '1 minute' from generate_series(1, 100000) n
        """,
        "analyze",
        // The parameters of a statement sent from here would be asked for; those of one that a function runs need no values.
        """
        create function plan_of(statement text) returns setof text language plpgsql as
        $$ begin return query execute 'explain (generic_plan, costs off) ' || statement; end $$
        """,
    ];

    // With the cursor of a page before, which is where a search would begin to walk.
    private const string Cursor = "cursor=1790000000000000.019ac0a0000070008000000000000000";
    private static readonly string[] s_searches =
    [
        "accounts?email=1@example.com", $"accounts?emailPrefix=1&{Cursor}", $"accounts?status=disabled&{Cursor}", $"accounts?{Cursor}",
        $"mails?recipient=1@example.com&{Cursor}", $"mails?account={Guid.Empty}&state=sent&{Cursor}", $"mails?state=dead&{Cursor}", $"mails?state=pending&{Cursor}",
        $"mails?kind=mail.welcome.v1&from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z&{Cursor}",
        $"audit?account={Guid.Empty}&{Cursor}", $"audit?kind=session.signed_in&{Cursor}", $"audit?by={Guid.Empty}&{Cursor}",
        "audit?from=2026-01-01T00:00:00Z&to=2026-12-01T00:00:00Z",
    ];

    [Fact]
    public async Task NoHotStatementWalksThroughATable()
    {
        var statements = await HotStatementsAsync();
        await using var database = await OwnDatabase.CreateAsync(ariya);
        await using var connections = NpgsqlDataSource.Create(database.ConnectionString);
        foreach (var step in s_prepare)
        {
            await AskAsync(connections, step);
        }

        var walks = new List<string>();
        foreach (var (name, sql) in statements.Concat(await SearchesAsync()).Concat(Cleanups()))
        {
            var plan = await AskAsync(connections, "select string_agg(line, E'\\n') from plan_of($1) line", Typed(sql));
            // Of the mails that wait all are looked at, by the index that holds no other.
            if (!Regex.IsMatch(plan, "Index Cond|Conflict Arbiter Indexes|Index Scan using ix_outbox_messages_due_at|Bitmap Index Scan on ix_outbox_messages_due_at")
                || Regex.IsMatch(plan, "Seq Scan on (accounts|sessions|registrations|outbox_messages|one_time_tokens|sign_in_failures|audit_events|email_changes|idempotency_keys)"))
            {
                walks.Add($"{name}\n{plan}");
            }
        }

        Assert.True(walks.Count == 0, string.Join("\n\n", walks));
    }

    /// <summary>Taken from the traces of requests that run them.</summary>
    private async Task<Dictionary<string, string>> HotStatementsAsync()
    {
        var person = await Person.WithAccountAsync(ariya);
        var login = await SentAsync("/api/v1/auth/login", new { email = person.Email, password = person.Password });
        var failure = await SentAsync("/api/v1/auth/login", new { email = person.Email, password = "not the sentence at all" });
        var tokens = await person.SignInAsync();
        using var get = TracedRequests.AccountRequest(tokens);
        var account = (await ariya.TracedAsync(get)).Sql;
        var refresh = await SentAsync("/api/v1/auth/refresh", new { refreshToken = tokens.Refresh });
        var repeat = await SentAsync("/api/v1/auth/refresh", new { refreshToken = tokens.Refresh });
        var logout = await SentAsync("/api/v1/auth/logout", new { refreshToken = tokens.Refresh });
        var noToken = new string('A', 43);
        var verify = await SentAsync("/api/v1/auth/verify-email", new { token = noToken });
        var reset = await SentAsync("/api/v1/auth/reset-password", new { token = noToken, password = "another sentence of hers" });
        var background = ariya.Collector.Spans.Select(span => span.Sql).OfType<string>().Distinct().ToList();
        return new Dictionary<string, string>
        {
            ["look-up of a sign-in"] = login[0],
            ["sign-in"] = login[1],
            ["wrong password"] = failure[1],
            ["read of the caller"] = account.Single(sql => sql.Contains("from sessions", StringComparison.Ordinal)),
            ["refresh"] = refresh.Single(sql => sql.Contains("update sessions", StringComparison.Ordinal)),
            ["judgement of an old refresh token"] = repeat.Last(sql => sql.Contains("update sessions", StringComparison.Ordinal)),
            ["sign-out"] = logout.Single(),
            ["look-up of a verification token"] = verify[0],
            ["look-up of a reset token"] = reset[0],
            // A turn of the worker that has nothing to write down claims only; the others are batches.
            ["claim of mails"] = background.Where(sql => sql.Contains("set state = 'leased'", StringComparison.Ordinal)).MinBy(sql => sql.Length)!,
            ["watch of what changed"] = background.Single(sql => sql.Contains("where revoked_at >", StringComparison.Ordinal)),
        };
    }

    /// <summary>A batch of each step: with a million rows there are five hundred of them. Seals are few, and here there are none.</summary>
    private static Dictionary<string, string> Cleanups() => CleanupSteps.All(new RetentionOptions())
        .Where(step => step.Name is not ("audit spans" or "audit seals"))
        .ToDictionary(step => $"clean-up of {step.Name}", step => step.Batch(DateTimeOffset.UnixEpoch, 2000).Text);

    /// <summary>What operators search with: the second statement of a batch whose first is the audit.</summary>
    private async Task<Dictionary<string, string>> SearchesAsync()
    {
        var admin = await Operator.SignInAsync(ariya);
        var statements = new Dictionary<string, string>();
        foreach (var search in s_searches)
        {
            using var request = new HttpRequestMessage(HttpMethod.Get, $"/api/v1/admin/{search}");
            request.Headers.Authorization = new AuthenticationHeaderValue("Bearer", admin.AccessToken);
            var batch = (await ariya.TracedAsync(request)).Sql[^1];
            statements[search] = batch[(batch.IndexOf("returning 1", StringComparison.Ordinal) + "returning 1".Length)..].TrimStart(';', '\n', ' ');
        }

        return statements;
    }

    private async Task<List<string>> SentAsync(string path, object body)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, path) { Content = JsonContent.Create(body) };
        return (await ariya.TracedAsync(request)).Sql;
    }

    // A driver says which types it sends; here the text has to, where the database would not guess it.
    private static string Typed(string sql) => Regex.Replace(
        Regex.Replace(sql, @"unnest\((\$\d+)\)", "unnest($1::bytea[])"),
        @"(clock_timestamp|now)\(\) ([-+]) (\$\d+)", "$1() $2 $3::interval");

    private static async Task<string> AskAsync(NpgsqlDataSource connections, string sql, params object[] parameters)
    {
        await using var command = connections.CreateCommand(sql);
        command.CommandTimeout = 60;
        command.Parameters.AddRange(parameters.Select(parameter => new NpgsqlParameter { Value = parameter }).ToArray());
        return await command.ExecuteScalarAsync() as string ?? "";
    }
}
