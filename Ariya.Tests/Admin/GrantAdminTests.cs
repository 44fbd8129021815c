using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Npgsql;

namespace Ariya.Tests.Admin;

/// <summary>The commands that make and unmake admins, run as an operator runs them.</summary>
public sealed class GrantAdminTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private const string Grace = "grace@example.com";

    [Fact]
    public async Task AnAdminIsMadeAfterSomebodyHasSeenWhoItIs()
    {
        var admin = await AccountAsync("ada@example.com", "Ada", "Lovelace");
        await SqlAsync("update accounts set roles = '{admin}' where id = $1", admin);
        var grace = await AccountAsync(Grace);
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at, created_at)
            values (gen_random_uuid(), $1, 1, '\x00', 'Firefox', '192.0.2.0/24', clock_timestamp() + interval '1 day', clock_timestamp() + interval '1 day',
                    '2026-03-04 05:06:07Z')
            """, grace);

        await using var unanswered = await CommandAsync("grant-admin", Grace);
        Assert.Equal((1, true), (unanswered.ExitCode, unanswered.Output.Contains("Nobody answered", StringComparison.Ordinal)));
        Assert.Matches($@"(?s)id +{grace}.*address +{Grace}.*created +\d{{4}}-.*verified +\d{{4}}-.*last sign-in +2026-03-04 05:06:07Z", unanswered.Output);
        Assert.False(await IsAdminAsync(grace));

        await using var granted = await WorkerProcess.CommandAsync(Connection, ["grant-admin", "GRACE@example.com"], "admin");
        Assert.Equal(0, granted.ExitCode);
        Assert.True(await IsAdminAsync(grace));
        Assert.Equal(2, await ScalarAsync<int>("select auth_epoch from accounts where id = $1", grace));
        Assert.Equal("role_changed", await ScalarAsync<string>("select revoked_reason from sessions where account_id = $1", grace));
        Assert.Matches("^cli:.+@.+$", await ScalarAsync<string>("select detail from audit_events where kind = 'admin.granted' and account_id = $1", grace));
        Assert.Equal(2, await Worker().RunOnceAsync());
        Assert.Equal("You are an admin now", Mail(Grace).Subject);
        Assert.Equal("There is a new admin", Mail("ada@example.com").Subject);
        Assert.Contains("the account of g…@e….com", Mail("ada@example.com").Text, StringComparison.Ordinal);
        Assert.DoesNotContain(Grace, Mail("ada@example.com").Text, StringComparison.Ordinal);

        await using var again = await CommandAsync("grant-admin", Grace, "--yes");
        Assert.Equal((0, true), (again.ExitCode, again.Output.Contains("already", StringComparison.Ordinal)));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from audit_events where kind = 'admin.granted'"));
    }

    [Fact]
    public async Task NobodyBecomesAnAdminWhileAnOlderMailboxCanTakeTheAccountBack()
    {
        var grace = await AccountAsync(Grace);
        await SqlAsync(
            """
            insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network, user_agent, expires_at, confirmed_at)
            values (gen_random_uuid(), $1, 1, 'old@example.com', 'old@example.com', $2, $2, 'n', 'a', clock_timestamp() + interval '6 days', now())
            """, grace, Grace);
        await using var refused = await CommandAsync("grant-admin", Grace, "--yes");
        Assert.Equal((1, true), (refused.ExitCode, refused.Output.Contains("can be confirmed or undone until", StringComparison.Ordinal)));
        Assert.False(await IsAdminAsync(grace));
        await SqlAsync("update email_changes set expires_at = clock_timestamp()");
        await using var granted = await CommandAsync("grant-admin", Grace, "--yes");
        Assert.Equal(0, granted.ExitCode);
        Assert.True(await IsAdminAsync(grace));
    }

    [Fact]
    public async Task OnlyAnActiveAccountBecomesAnAdmin()
    {
        await RegistrationAsync("waiting@example.com");
        var disabled = await AccountAsync("disabled@example.com");
        await SqlAsync("update accounts set status = 'disabled' where id = $1", disabled);
        foreach (var (address, words) in new[]
        {
            ("nobody@example.com", "no account has this address"), ("waiting@example.com", "no account has this address"), ("ada", "no account has this address"),
            ("disabled@example.com", "the account is disabled"),
        })
        {
            await using var refused = await CommandAsync("grant-admin", address, "--yes");
            Assert.Equal((1, true), (refused.ExitCode, refused.Output.Contains(words, StringComparison.Ordinal)));
        }

        Assert.Equal(0, await ScalarAsync<long>("select count(*) from accounts where cardinality(roles) > 0"));
        await using var misused = await CommandAsync("grant-admin");
        Assert.Equal((2, true), (misused.ExitCode, misused.Output.Contains("usage: grant-admin EMAIL", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task TheLastAdminIsAskedForOnceMore()
    {
        var grace = await AccountAsync(Grace);
        var ada = await AccountAsync("ada@example.com");
        await SqlAsync("update accounts set roles = '{admin,auditor}'");
        await using var first = await CommandAsync("revoke-admin", "ada@example.com");
        Assert.Equal((0, false), (first.ExitCode, await IsAdminAsync(ada)));
        Assert.Equal(["auditor"], (await ScalarAsync<string[]>("select roles from accounts where id = $1", ada))!);
        Assert.Equal(2, await ScalarAsync<int>("select auth_epoch from accounts where id = $1", ada));

        await using var unanswered = await CommandAsync("revoke-admin", Grace);
        Assert.Equal((1, true), (unanswered.ExitCode, unanswered.Output.Contains("the last active admin", StringComparison.Ordinal)));
        Assert.True(await IsAdminAsync(grace));
        await using var confirmed = await CommandAsync("revoke-admin", Grace, "--yes");
        Assert.Equal((0, false), (confirmed.ExitCode, await IsAdminAsync(grace)));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from audit_events where kind = 'admin.revoked' and detail like 'cli:%@%'"));
    }

    [Fact]
    public async Task NothingIsLockedWhileSomebodyThinksAboutTheLastAdmin()
    {
        var grace = await AccountAsync(Grace);
        await SqlAsync("update accounts set roles = '{admin}'");
        await using var asking = WorkerProcess.StartCommand(Connection, "revoke-admin", Grace);
        // What it did last is to ask whether there is another admin.
        Assert.Equal("idle", await Wait.UntilAsync("the question", TimeSpan.FromSeconds(60), () => ScalarAsync<string>(
            """
            select state from pg_stat_activity
            where datname = current_database() and application_name = 'ariya-worker' and state like 'idle%'
              and query like '%any(%roles)%' and query not like '%email_canonical%'
            """)));
        await asking.AnswerAsync("last");
        Assert.Equal((0, false), (asking.ExitCode, await IsAdminAsync(grace)));
    }

    [Fact]
    public async Task OfTwoAdminsWhoAreTakenAtOnceOneStaysUntilSomebodyIsAsked()
    {
        await AccountAsync(Grace);
        await AccountAsync("ada@example.com");
        await SqlAsync("update accounts set roles = '{admin}'");
        await using var holder = new NpgsqlConnection(Connection);
        await holder.OpenAsync();
        await using var transaction = await holder.BeginTransactionAsync();
        await using (var hold = new NpgsqlCommand("select 1 from accounts for update", holder, transaction))
        {
            await hold.ExecuteNonQueryAsync();
        }

        var both = new[] { Grace, "ada@example.com" }.Select(address => CommandAsync("revoke-admin", address)).ToList();
        await Wait.UntilAsync("both to wait", TimeSpan.FromSeconds(60), async () => await ScalarAsync<long>(
            "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'") == 2 ? "" : null);
        await transaction.RollbackAsync();
        var ended = await Task.WhenAll(both);
        Assert.Equal([0, 1], ended.Select(one => one.ExitCode).Order());
        Assert.Contains("last active admin", ended.Single(one => one.ExitCode == 1).Output, StringComparison.Ordinal);
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from accounts where 'admin' = any(roles)"));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from audit_events where kind = 'admin.revoked'"));
    }

    private Task<bool> IsAdminAsync(Guid account) => ScalarAsync<bool>("select 'admin' = any(roles) from accounts where id = $1", account);

    private Task<WorkerProcess> CommandAsync(params string[] arguments) => WorkerProcess.CommandAsync(Connection, arguments);
}
