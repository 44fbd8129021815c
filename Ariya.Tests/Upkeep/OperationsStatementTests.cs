using System.Text.RegularExpressions;
using Ariya.Data.Accounts;
using Ariya.Data.Outbox;
using Ariya.Data.Passwords;
using Ariya.Tests.Contract;
using Ariya.Tests.Mail.Outbox;

namespace Ariya.Tests.Upkeep;

/// <summary>The statements that <c>docs/operations.sql</c> gives to whoever is called at night, run as they stand there.</summary>
public sealed partial class OperationsStatementTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    [Fact]
    public async Task EveryStatementRuns()
    {
        var statements = Statements();
        Assert.Equal(Enumerable.Range(1, 20).Select(number => $"S{number}"), statements.Keys);
        foreach (var (name, statement) in statements)
        {
            // Roles are the whole server's, so this one is taken back.
            var sql = name == "S14" ? $"begin; create role ariya_api; {statement} rollback;" : statement;
            var failure = await Record.ExceptionAsync(() => RunAsync(sql, Guid.CreateVersion7()));
            Assert.True(failure is null, $"{name}: {failure?.Message}");
        }
    }

    [Fact]
    public async Task ADeadMailGoesOutAgainAndAWaitingOneIsTakenBack()
    {
        var dead = await WelcomeAsync("grace@example.com");
        await SqlAsync("update outbox_messages set state = 'dead', settled_at = clock_timestamp(), reason = '550 5.7.1 blocked' where id = $1", dead);
        var waiting = await WelcomeAsync("ada@example.com");
        await RunAsync(Statements()["S5"], waiting);
        await RunAsync(Statements()["S4"], dead);

        Assert.Equal(1, await Worker().RunOnceAsync());
        Assert.Equal("grace@example.com", Assert.Single(Relay.Accepted).Recipient);
        Assert.Equal(("dead", "dropped"), ((await RowAsync(dead)).State, (await RowAsync(waiting)).State));
    }

    [Fact]
    public async Task EveryMailedLinkEnds()
    {
        var account = await AccountAsync("grace@example.com");
        await AddAsync(MailKinds.PasswordReset, "grace@example.com");
        var change = await ChangeAsync(account);
        await AddAsync(MailKinds.EmailChanged, "grace@example.com", $$"""{"changeId":"{{change}}"}""");
        Assert.Equal(2, await Worker().RunOnceAsync());
        await RunAsync(Statements()["S16"], account);

        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens where consumed_at is null and expires_at > clock_timestamp()"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from email_changes where expires_at > clock_timestamp()"));
    }

    [Fact]
    public async Task AnAccountGetsItsOldAddressBack()
    {
        var account = await AccountAsync("thief@example.com");
        var change = await ChangeAsync(account);
        await RunAsync(Statements()["S17"], account, change);

        Assert.Equal("grace@example.com", await ScalarAsync<string>("select email from accounts where id = $1 and auth_epoch = 2", account));
        Assert.Equal("grace@example.com", await ScalarAsync<string>("select email_canonical from accounts where id = $1", account));
        Assert.True(await ScalarAsync<bool>("select undone_at is not null from email_changes where id = $1", change));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from audit_events where account_id = $1", account));
    }

    [Fact]
    public async Task AnAccountIsDeletedAndBroughtBack()
    {
        var account = await AccountAsync("grace@example.com");
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
            values (gen_random_uuid(), $1, 1, '\x00', 'Firefox', '192.0.2.0/24', clock_timestamp() + interval '1 day', clock_timestamp() + interval '1 day')
            """, account);
        await RunAsync(Statements()["S20"], account);
        Assert.Equal($"deleted:{account}:grace@example.com", await ScalarAsync<string>("select email_canonical from accounts where status = 'deleted'"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from sessions where revoked_at is null"));

        await RunAsync(Statements()["S18"], account);
        Assert.Equal(Account.Active, await ScalarAsync<string>("select status from accounts where email_canonical = 'grace@example.com'"));
        // Nobody's password, and no text on which a sign-in breaks.
        Assert.False(PasswordHash.Verify((await ScalarAsync<string>("select password_hash from accounts"))!, "a sentence nobody types"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from sessions where revoked_at is null"));
    }

    [Fact]
    public async Task WhatIsKeptOfAPersonIsTold()
    {
        var account = await AccountAsync("grace@example.com");
        await WelcomeAsync("ada@example.com");
        await AddAsync(MailKinds.Welcome, "grace@example.com", $$"""{"accountId":"{{account}}"}""");
        var told = (await ScalarAsync<string>(Substitute(Statements()["S19"], account, Guid.Empty)))!;
        Assert.Contains("grace@example.com", told, StringComparison.Ordinal);
        Assert.Contains(MailKinds.Welcome, told, StringComparison.Ordinal);
        Assert.DoesNotContain("password_hash", told, StringComparison.Ordinal);
        Assert.DoesNotContain("ada@example.com", told, StringComparison.Ordinal);
    }

    private async Task<Guid> ChangeAsync(Guid account)
    {
        var change = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network, user_agent,
                                       confirmed_at, expires_at)
            values ($1, $2, 1, 'grace@example.com', 'grace@example.com', 'thief@example.com', 'thief@example.com', '192.0.2.0/24', 'Firefox',
                    clock_timestamp(), clock_timestamp() + interval '7 days')
            """, change, account);
        return change;
    }

    // One id stands for the account and for the mail: a statement names either.
    private Task<int> RunAsync(string statement, Guid id, Guid change = default) => SqlAsync(Substitute(statement, id, change));

    private static string Substitute(string statement, Guid id, Guid change) => statement
        .Replace(":'account'", $"'{id}'", StringComparison.Ordinal).Replace(":'mail'", $"'{id}'", StringComparison.Ordinal)
        .Replace(":'change'", $"'{change}'", StringComparison.Ordinal).Replace(":'network'", "'192.0.2.0/24'", StringComparison.Ordinal);

    private static Dictionary<string, string> Statements() => Sections().Matches(CheckoutFile.Read("docs/operations.sql"))
        .ToDictionary(section => section.Groups["name"].Value, section => section.Groups["sql"].Value);

    [GeneratedRegex(@"^-- (?<name>S\d+)[ :].*$(?<sql>(\n(?!-- S\d+[ :]).*$)+)", RegexOptions.Multiline)]
    private static partial Regex Sections();
}
