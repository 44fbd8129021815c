using Ariya.Data.Outbox;
using Ariya.Tests.Mail;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Upkeep;

/// <summary>The worker's one-shot commands, run as an operator runs them.</summary>
public sealed class CommandTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly (string, string) s_development = ("DOTNET_ENVIRONMENT", "Development");

    private (string, string)[] RelaySettings => [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", $"{Relay.Port}"), ("SMTP_FROM", "Ariya <no-reply@example.com>")];

    [Fact]
    public async Task CheckSaysALineForEachServer()
    {
        await using var check = await CommandAsync(["check"], RelaySettings);
        Assert.Equal(0, check.ExitCode);
        Assert.Matches(@"PostgreSQL +ok +18\.\d+, schema up to date \(\d+ ms\)", check.Output);
        Assert.Matches("Redis +ok +not configured here", check.Output);
        Assert.Matches($"SMTP +ok +127.0.0.1:{Relay.Port} in clear, on this machine, no sign-in", check.Output);
        Assert.Empty(Relay.Handed);
    }

    [Fact]
    public async Task CheckSaysWhatToChange()
    {
        await SqlAsync("delete from \"__EFMigrationsHistory\" where \"MigrationId\" like '%WorkerHeartbeats'");
        await MoveRelayAwayAsync();
        await using var check = await CommandAsync(["check"], [.. RelaySettings, ("REDIS_URL", "redis://127.0.0.1:1/0")]);
        Assert.Equal(1, check.ExitCode);
        Assert.Matches("PostgreSQL +FAILS .*1 migration\\(s\\) to apply: run `Ariya.Worker migrate`", check.Output);
        Assert.Matches("Redis +FAILS .*look at REDIS_URL", check.Output);
        Assert.Matches("SMTP +FAILS .*no connection: ConnectionRefused. Look at SMTP_HOST, SMTP_PORT", check.Output);
        Assert.DoesNotContain("   at ", check.Output, StringComparison.Ordinal);
    }

    [Theory]
    [Trait("Promise", "P64")]
    [InlineData("SMTP_PORT", "many", "SMTP_PORT must be a number")]
    [InlineData("JWT_SECRET", "short", "JWT_SECRET is too weak")]
    public async Task AWrongSettingIsOneLine(string name, string value, string words)
    {
        await using var check = await CommandAsync(["check"], [.. RelaySettings, s_development, (name, value)]);
        Assert.Equal(1, check.ExitCode);
        Assert.Contains(words, check.Output, StringComparison.Ordinal);
        Assert.DoesNotContain("   at ", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ARelayThatSaysNothingIsToldFromOneThatIsNotThere()
    {
        Relay.Script = RelayScript.At("CONNECT", RelayReply.Silence);
        await using var check = await CommandAsync(["check"], [.. RelaySettings, s_development]);
        Assert.Equal(1, check.ExitCode);
        Assert.Matches("SMTP +FAILS .*no answer in time. Nothing came in time", check.Output);
    }

    [Fact]
    public async Task CheckTellsAWrongDatabaseWithoutItsPassword()
    {
        var wrong = new Npgsql.NpgsqlConnectionStringBuilder(Connection) { Password = "a wrong password of theirs" };
        await using var check = await WorkerProcess.CommandAsync(wrong.ConnectionString, ["check"], null, RelaySettings);
        Assert.Equal(1, check.ExitCode);
        Assert.Matches("PostgreSQL +FAILS .*look at DATABASE_URL", check.Output);
        Assert.DoesNotContain("a wrong password", check.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task ATestMailIsSentAndTheAnswerPrinted()
    {
        await using var sent = await CommandAsync(["send-test-mail", "ops@example.com"], RelaySettings);
        Assert.Equal((0, true), (sent.ExitCode, sent.Output.Contains("Accepted at AfterDot: 250 2.0.0 taken as 1-1", StringComparison.Ordinal)));
        Assert.Equal("Test of the mail settings", ReceivedMail.Parse(Assert.Single(Relay.Accepted).Content).Subject);

        Relay.Script = RelayScript.At("RCPT", "550 5.1.1 no such user");
        await using var refused = await CommandAsync(["send-test-mail", "ops@example.com"], RelaySettings);
        Assert.Equal((1, true), (refused.ExitCode, refused.Output.Contains("Refused at Rcpt: 550 5.1.1 no such user", StringComparison.Ordinal)));
        await using var wrong = await CommandAsync(["send-test-mail", "ops"], RelaySettings);
        Assert.Equal(2, wrong.ExitCode);
    }

    [Fact]
    public async Task CleanupTokensPrintsHowMany()
    {
        await SqlAsync(
            """
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            select gen_random_uuid(), 'verify_email', gen_random_uuid(), 'a', gen_random_uuid()::text::bytea, '\x00', 'key', clock_timestamp() - n * interval '1 day'
            from generate_series(1, 10) n
            """);
        await using var command = await CommandAsync(["cleanup-tokens"]);
        Assert.Equal(0, command.ExitCode);
        Assert.Contains("Cleaned up 4 expired tokens", command.Output, StringComparison.Ordinal);
        Assert.Equal(6, await ScalarAsync<long>("select count(*) from one_time_tokens"));
        await using var all = await CommandAsync(["cleanup"], ("Retention__Tokens", "02:00:00"));
        Assert.Contains("Cleaned up 6 rows", all.Output, StringComparison.Ordinal);
    }

    [Fact]
    public async Task AfterARestoreNothingOldWorksAndNoMailGoesOut()
    {
        var account = await AccountAsync("grace@example.com");
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
            values (gen_random_uuid(), $1, 1, '\x00', 'Firefox', '192.0.2.0/24', clock_timestamp() + interval '1 day', clock_timestamp() + interval '1 day')
            """, account);
        await SqlAsync(
            """
            insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network, user_agent, expires_at, confirmed_at)
            values (gen_random_uuid(), $1, 1, 'old@example.com', 'old@example.com', 'grace@example.com', 'grace@example.com', 'n', 'a', clock_timestamp() + interval '6 days', now())
            """, account);
        await AddAsync(MailKinds.PasswordReset, "grace@example.com");
        await Worker().RunOnceAsync();
        var link = Mail("grace@example.com").Token;
        var waiting = await AddAsync(MailKinds.Welcome, "grace@example.com", $$"""{"accountId":"{{account}}"}""");
        // The least that a pool can be said to hold.
        await using (var keys = await WorkerProcess.CommandAsync($"{Connection};Maximum Pool Size=1", ["migrate"], null))
        {
            Assert.Equal(0, keys.ExitCode);
        }

        await using var unanswered = await CommandAsync(["after-restore"]);
        Assert.Equal((1, true), (unanswered.ExitCode, unanswered.Output.Contains("Nobody answered", StringComparison.Ordinal)));
        Assert.True(await WorksAsync(link));
        var oldKey = await ScalarAsync<string>("select kid from signing_keys");

        await using var command = await WorkerProcess.CommandAsync(Connection, ["after-restore"], "restored");
        Assert.Equal(0, command.ExitCode);
        Assert.Contains("1 sessions ended, 1 mailed links ended, 1 mails held, a new signing key", command.Output, StringComparison.Ordinal);
        Assert.Contains("JWT_REFRESH_SECRET", command.Output, StringComparison.Ordinal);
        Assert.False(await WorksAsync(link));
        Assert.Equal("restored", await ScalarAsync<string>("select revoked_reason from sessions"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from email_changes where expires_at > clock_timestamp()"));
        Assert.Equal(2, await ScalarAsync<int>("select auth_epoch from accounts"));
        // Far beyond what was lost: no cached profile and no ETag of that time is right again.
        Assert.Equal(1001, await ScalarAsync<int>("select version from accounts"));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from signing_keys where retired_at is null and signs_from <= clock_timestamp() and kid <> $1", oldKey!));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from audit_events where kind = 'deployment.restored'"));
        Assert.Equal(0, await Worker().RunOnceAsync());
        Assert.Equal("held", (await RowAsync(waiting)).State);

        await using var release = await CommandAsync(["release-held", "--yes"]);
        Assert.Contains("1 mails released", release.Output, StringComparison.Ordinal);
        Assert.Equal(1, await Worker().RunOnceAsync());
        Assert.Equal("sent", (await RowAsync(waiting)).State);
    }

    [Fact]
    [Trait("Promise", "P32")]
    public async Task RotatedKeysSignInTimeOrNow()
    {
        await using var first = await CommandAsync(["migrate"]);
        var old = await ScalarAsync<string>("select kid from signing_keys");
        await using var inTime = await CommandAsync(["rotate-keys"]);
        Assert.Equal(0, inTime.ExitCode);
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from signing_keys where kid <> $1 and signs_from > clock_timestamp() + interval '10 minutes'", old!));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from signing_keys where retired_at is null"));

        await using var now = await CommandAsync(["rotate-keys", "--now"]);
        Assert.Equal(0, now.ExitCode);
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from signing_keys where retired_at is null and signs_from <= clock_timestamp()"));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from signing_keys where retired_at < clock_timestamp() - interval '66 minutes'"));
        Assert.Equal(2, await ScalarAsync<long>("select count(*) from audit_events where kind = 'deployment.keys_rotated'"));
    }

    [Fact]
    public async Task VerifyAuditSaysWhetherItIsAsItWas()
    {
        await SqlAsync("insert into audit_events (id, kind, at) values (gen_random_uuid(), 'session.signed_in', clock_timestamp() - interval '5 minutes')");
        await Worker().UseAsync<Data.AriyaDatabase, int>(db => new Ariya.Worker.Audit.AuditChain(db, WorkerSettings.Secrets).SealAsync(CancellationToken.None));
        await using var good = await CommandAsync(["verify-audit"]);
        Assert.Equal((0, true), (good.ExitCode, good.Output.Contains("The audit is as it was written.", StringComparison.Ordinal)));
        await SqlAsync("update audit_events set kind = 'session.ended'");
        await using var changed = await CommandAsync(["verify-audit"]);
        Assert.Equal((1, true), (changed.ExitCode, changed.Output.Contains("The audit was changed. Seal 1:", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task MigrateListsAndGoesBackAndForth()
    {
        await using var list = await CommandAsync(["migrate", "--list"]);
        Assert.Matches(@"(?s)applied  \d+_Initial.*applied  \d+_SchedulesAndAuditSeals", list.Output);
        await using var unanswered = await CommandAsync(["migrate", "--to", "WorkerHeartbeats"]);
        Assert.Equal(1, unanswered.ExitCode);
        Assert.Contains("SchedulesAndAuditSeals", unanswered.Output, StringComparison.Ordinal);
        Assert.True(await IsThereAsync("audit_seals"));

        await using var back = await CommandAsync(["migrate", "--to", "WorkerHeartbeats", "--yes"]);
        Assert.Equal(0, back.ExitCode);
        Assert.False(await IsThereAsync("audit_seals"));
        await using var unknown = await CommandAsync(["migrate", "--to", "Nowhere"]);
        Assert.Equal(2, unknown.ExitCode);
        await using var forth = await CommandAsync(["migrate"]);
        Assert.Matches(@"Applied \d+ migration\(s\)\.", forth.Output);
        Assert.True(await IsThereAsync("audit_seals"));
    }

    [Fact]
    public async Task ResetIsForDevelopmentAndAsks()
    {
        await AccountAsync("grace@example.com");
        await using var production = await CommandAsync(["migrate", "--reset", "--yes"]);
        Assert.Equal((1, true), (production.ExitCode, production.Output.Contains("Development only", StringComparison.Ordinal)));
        await using var no = await WorkerProcess.CommandAsync(Connection, ["migrate", "--reset"], "no", s_development);
        Assert.Equal((1, true), (no.ExitCode, no.Output.Contains("Nothing was done", StringComparison.Ordinal)));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from accounts"));

        await using var yes = await WorkerProcess.CommandAsync(Connection, ["migrate", "--reset"], DatabaseName, s_development);
        Assert.Equal(0, yes.ExitCode);
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from accounts"));
        Assert.Equal(1, await ScalarAsync<long>("select count(*) from signing_keys"));
    }

    [Fact]
    public async Task AWordThatIsNoCommandListsThem()
    {
        await using var wrong = await CommandAsync(["clean"]);
        Assert.Equal(2, wrong.ExitCode);
        await using var help = await CommandAsync(["--help"]);
        Assert.Equal(0, help.ExitCode);
        foreach (var command in new[] { "migrate", "check", "send-test-mail", "cleanup-tokens", "rotate-keys", "verify-audit", "after-restore" })
        {
            Assert.Contains(command, wrong.Output, StringComparison.Ordinal);
            Assert.Contains(command, help.Output, StringComparison.Ordinal);
        }

        await using var misused = await CommandAsync(["rotate-keys", "--when"]);
        Assert.Equal((2, true), (misused.ExitCode, misused.Output.Contains("usage: rotate-keys [--now]", StringComparison.Ordinal)));
    }

    private Task<bool> IsThereAsync(string table) => ScalarAsync<bool>("select to_regclass($1) is not null", table);

    private Task<WorkerProcess> CommandAsync(string[] arguments, params (string Name, string Value)[] settings) =>
        WorkerProcess.CommandAsync(Connection, arguments, null, settings);
}
