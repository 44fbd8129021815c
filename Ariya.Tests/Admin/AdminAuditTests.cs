using Ariya.Tests.Distributed;

namespace Ariya.Tests.Admin;

/// <summary>Operators read the audit, and what they do is in it.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class AdminAuditTests(RunningAriya ariya)
{
    [Fact]
    public async Task EventsAreFoundByAccountKindOperatorAndTime()
    {
        var admin = await Operator.SignInAsync(ariya);
        var person = await Person.WithAccountAsync(ariya);
        var id = await ariya.AccountIdAsync(person);
        await person.SignInAsync();
        var moment = Uri.EscapeDataString((await ariya.ScalarAsync<DateTime>("select clock_timestamp()")).ToString("O"));
        await admin.GetAsync($"accounts/{id}");
        Assert.Equal(["admin.account_read", "session.signed_in", "email.verified"], await KindsAsync(admin, $"account={id}"));
        Assert.Equal(["session.signed_in"], await KindsAsync(admin, $"account={id}&kind=session.signed_in"));
        Assert.Equal(["admin.account_read"], (await KindsAsync(admin, $"account={id}&from={moment}")).Where(kind => kind != "admin.audit_read"));
        Assert.Equal(["session.signed_in", "email.verified"], await KindsAsync(admin, $"account={id}&to={moment}"));
        var own = (await admin.GetAsync($"audit?by={admin.Id}"))["events"]!.AsArray();
        Assert.All(own, one => Assert.StartsWith($"by {admin.Id}", (string?)one!["detail"], StringComparison.Ordinal));
        Assert.Contains(own, one => ((string?)one!["kind"], (string?)one["accountId"]) == ("admin.account_read", id.ToString()));
        Assert.Single((await admin.GetAsync("audit?limit=1"))["events"]!.AsArray());
        Assert.True(await admin.AuditedAsync("admin.audit_read", id) >= 4);
    }

    [Fact]
    public async Task PagesGoOnWhateverComesMeanwhile()
    {
        var admin = await Operator.SignInAsync(ariya);
        var id = admin.Id;
        await AddAsync(id, 1, 5);
        var first = await admin.GetAsync($"audit?kind=test.kind&account={id}&limit=2");
        await AddAsync(id, 6, 7);
        var second = await admin.GetAsync($"audit?kind=test.kind&account={id}&limit=2&cursor={first["next"]}");
        var third = await admin.GetAsync($"audit?kind=test.kind&account={id}&limit=2&cursor={second["next"]}");
        Assert.Equal(["5", "4", "3", "2", "1"], new[] { first, second, third }.SelectMany(page => page["events"]!.AsArray()).Select(one => (string)one!["detail"]!));
        Assert.Null(third["next"]);
    }

    private static async Task<List<string>> KindsAsync(Operator admin, string query) =>
        [.. (await admin.GetAsync($"audit?{query}"))["events"]!.AsArray().Select(one => (string)one!["kind"]!).Where(kind => kind != "admin.audit_read")];

    // Two in one microsecond are told apart by their ids.
    private Task<int> AddAsync(Guid account, int from, int to) => ariya.SqlAsync(
        """
        insert into audit_events (id, kind, account_id, detail, at)
        select uuidv7(), 'test.kind', $1, n::text, now() + (n / 2) * interval '1 microsecond' from generate_series($2::int, $3::int) n
        """, account, from, to);
}
