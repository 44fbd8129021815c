using System.Net;
using System.Net.Http.Json;
using Ariya.Tests.Distributed;
using Ariya.Tests.Sessions;

namespace Ariya.Tests.Budgets;

/// <summary>
/// What a request costs the database, counted by the spans of its own trace: a span of Npgsql is one round trip, and a round trip
/// without BEGIN is one transaction. That everything written is one commit is read off the rows: they carry one transaction id.
/// </summary>
[Collection(RunningAriyaTests.Name)]
public sealed class StatementBudgetTests(RunningAriya ariya)
{
    [Fact]
    [Trait("Promise", "P07")]
    public async Task RegisteringIsOneBatchAndOneCommitForAFreeAndATakenAddress()
    {
        var known = await Person.WithAccountAsync(ariya);
        var free = new Person(ariya);
        // Automatic preparation and the recorded algorithm are there after a first call; both are no cost of this one.
        await new Person(ariya).RegisterAsync();
        var sqlOfFree = await SentAsync("register", Registration(free), HttpStatusCode.Accepted);
        var sqlOfKnown = await SentAsync("register", Registration(known, "Ada"), HttpStatusCode.Accepted);

        var batch = Assert.Single(sqlOfFree);
        Assert.Contains("pg_advisory_xact_lock", batch, StringComparison.Ordinal);
        Assert.Contains("insert into registrations", batch, StringComparison.Ordinal);
        Assert.Equal(sqlOfFree, sqlOfKnown);
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            """
            select count(*) from registrations r join audit_events e on e.xmin = r.xmin and e.kind = 'registration.requested'
            where r.email_canonical = $1
            """, free.Email));
    }

    [Fact]
    public async Task SigningInIsTwoRoundTripsOfWhichOneWrites()
    {
        var person = await Person.WithAccountAsync(ariya);
        var sql = await SentAsync("login", new { email = person.Email, password = person.Password }, HttpStatusCode.OK);
        Assert.Equal(2, sql.Count);
        Assert.False(Writes(sql[0]), sql[0]);
        Assert.True(Writes(sql[1]), sql[1]);
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            """
            select count(distinct x) from (
              select s.xmin::text as x from sessions s join accounts a on a.id = s.account_id where a.email_canonical = $1
              union all
              select e.xmin::text from audit_events e join accounts a on a.id = e.account_id
              where a.email_canonical = $1 and e.kind = 'session.signed_in') written
            """, person.Email));
    }

    [Fact]
    [Trait("Promise", "P22")]
    public async Task AWrongPasswordIsTwoRoundTripsWhoeverIsAsked()
    {
        var known = await Person.WithAccountAsync(ariya);
        const string Wrong = "not the sentence at all";
        var ofKnown = await SentAsync("login", new { email = known.Email, password = Wrong }, HttpStatusCode.Unauthorized);
        var ofUnknown = await SentAsync("login", new { email = new Person(ariya).Email, password = Wrong }, HttpStatusCode.Unauthorized);
        Assert.Equal(2, ofKnown.Count);
        Assert.Equal(ofKnown, ofUnknown);
        Assert.False(Writes(ofKnown[0]), ofKnown[0]);
    }

    [Fact]
    public async Task RefreshingIsOneStatementAndAnOldTokenASecondOneHoweverItIsJudged()
    {
        var person = await Person.WithAccountAsync(ariya);
        var first = await person.SignInAsync();
        var rotated = Assert.Single(await SentAsync("refresh", new { refreshToken = first.Refresh }, HttpStatusCode.OK));
        var repeated = await SentAsync("refresh", new { refreshToken = first.Refresh }, HttpStatusCode.OK);
        await new SessionRow(ariya, first).RotatedAgoAsync("30 seconds");
        var reused = await SentAsync("refresh", new { refreshToken = first.Refresh }, HttpStatusCode.Unauthorized);
        Assert.Equal(2, repeated.Count);
        Assert.Equal(rotated, repeated[0]);
        Assert.Equal(repeated, reused);
        Assert.Equal(1, await ariya.ScalarAsync<long>(
            """
            select count(distinct x) from (
              select s.xmin::text as x from sessions s join accounts a on a.id = s.account_id where a.email_canonical = $1
              union all
              select e.xmin::text from audit_events e join accounts a on a.id = e.account_id
              where a.email_canonical = $1 and e.kind = 'session.refresh_reused') written
            """, person.Email));
    }

    [Fact]
    public async Task ARefreshTokenThatIsNotOursCostsNoSql()
    {
        var person = await Person.WithAccountAsync(ariya);
        var forged = (await person.SignInAsync()).Refresh.Replace(".0.", ".1.", StringComparison.Ordinal);
        Assert.Empty(await SentAsync("refresh", new { refreshToken = forged }, HttpStatusCode.Unauthorized));
        Assert.Empty(await SentAsync("logout", new { refreshToken = forged }, HttpStatusCode.NoContent));
    }

    [Theory]
    [Trait("Promise", "P11")]
    [Trait("Promise", "P14")]
    [InlineData("forgot-password")]
    [InlineData("resend-verification")]
    public async Task AskingForAMailIsTheSameOneStatementForAnyAddress(string path)
    {
        var known = await Person.WithAccountAsync(ariya);
        var waiting = new Person(ariya);
        await waiting.RegisterAsync();
        var sql = Assert.Single(await SentAsync(path, new { email = known.Email }, HttpStatusCode.Accepted));
        Assert.Equal(sql, Assert.Single(await SentAsync(path, new { email = waiting.Email }, HttpStatusCode.Accepted)));
        Assert.Equal(sql, Assert.Single(await SentAsync(path, new { email = new Person(ariya).Email }, HttpStatusCode.Accepted)));
        Assert.DoesNotContain("select", sql, StringComparison.OrdinalIgnoreCase);
    }

    [Fact]
    public async Task AnIdempotencyKeyCostsALookABeginningARecordAndACommitAndItsRepeatTheLookAlone()
    {
        var person = new Person(ariya);
        async Task<List<string>> KeyedAsync()
        {
            using var request = new HttpRequestMessage(HttpMethod.Post, "/api/v1/auth/forgot-password") { Content = JsonContent.Create(new { email = person.Email }) };
            request.Headers.Add("Idempotency-Key", "budget");
            return (await ariya.TracedAsync(request)).Sql;
        }

        var first = await KeyedAsync();
        Assert.Equal(2, first.Count(sql => sql.Contains("pg_try_advisory_xact_lock", StringComparison.Ordinal)));
        Assert.Single(first, sql => sql.Contains("insert into outbox_messages", StringComparison.Ordinal));
        Assert.Single(first, sql => sql.Contains("insert into idempotency_keys", StringComparison.Ordinal));
        Assert.InRange(first.Count, 4, 5);
        Assert.Contains("pg_try_advisory_xact_lock", Assert.Single(await KeyedAsync()), StringComparison.Ordinal);
    }

    [Fact]
    public async Task AWarmTokenCostsNoSqlAndAColdOneAStatement()
    {
        var person = await Person.WithAccountAsync(ariya);
        var tokens = await person.SignInAsync();
        using var cold = TracedRequests.AccountRequest(tokens);
        var (answer, sql) = await ariya.TracedAsync(cold);
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.False(Writes(Assert.Single(sql, text => !text.Contains("signing_keys", StringComparison.Ordinal))));

        await ariya.WarmUpAsync(tokens, ariya.Api);
    }

    private static object Registration(Person person, string firstName = "Grace") =>
        new { email = person.Email, password = person.Password, firstName, lastName = person.LastName };

    private static bool Writes(string sql) =>
        new[] { "insert ", "update ", "delete ", "begin", "commit" }.Any(word => sql.Contains(word, StringComparison.OrdinalIgnoreCase));

    private async Task<List<string>> SentAsync(string path, object body, HttpStatusCode expected)
    {
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/api/v1/auth/{path}") { Content = JsonContent.Create(body) };
        var (answer, sql) = await ariya.TracedAsync(request);
        Assert.True(expected == answer.StatusCode, $"{(int)answer.StatusCode}: {await answer.Content.ReadAsStringAsync()}");
        // The keys are read again every minute, by whoever comes first.
        return [.. sql.Where(text => !text.Contains("signing_keys", StringComparison.Ordinal))];
    }
}
