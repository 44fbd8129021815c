using System.Net;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Admin;

[Collection(RunningAriyaTests.Name)]
public sealed class AdminCleanupTests(RunningAriya ariya)
{
    [Fact]
    public async Task ACleanupThatIsAskedForRunsAtOnceAndSaysWhatItRemoved()
    {
        var admin = await Operator.SignInAsync(ariya);
        await ariya.SqlAsync(
            """
            insert into one_time_tokens (message_id, purpose, subject_id, address, token_hash, salt, key_id, expires_at)
            select gen_random_uuid(), 'verify_email', gen_random_uuid(), 'a', uuid_send(gen_random_uuid()), '\x00', 'key', clock_timestamp() - interval '8 days'
            from generate_series(1, 3)
            """);
        var asked = await Operator.ReadAsync(await admin.SendAsync(HttpMethod.Post, "cleanup"), HttpStatusCode.Accepted);
        var requestedAt = (DateTimeOffset)asked["requestedAt"]!;
        var report = await Wait.UntilAsync("the clean-up", TimeSpan.FromSeconds(10), async () =>
            await admin.GetAsync("cleanup") is var found && (DateTimeOffset?)found["finishedAt"] > requestedAt ? found : null);
        Assert.True((long)report["removed"]! >= 3);
        Assert.True((long)report["removedBySteps"]!["expired tokens"]! >= 3);
        Assert.Null(report["requestedAt"]);
        Assert.False((bool)report["isRunning"]!);
        Assert.Equal(1, await admin.AuditedAsync("admin.cleanup_requested"));
    }
}
