using Ariya.Data.Outbox;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Registration;

/// <summary>The worker is told of a mail when it is committed, and does not only find it.</summary>
[Collection(RunningAriyaTests.Name)]
public sealed class OutboxBellTests(RunningAriya ariya)
{
    [Fact]
    public async Task ACommittedMailRingsTheBell()
    {
        await using var listener = await ariya.Database.OpenConnectionAsync();
        await using var listen = listener.CreateCommand();
        listen.CommandText = OutboxWakeUp.Listen;
        await listen.ExecuteNonQueryAsync();
        await new Person(ariya).RegisterAsync();
        Assert.True(await listener.WaitAsync(TimeSpan.FromSeconds(10)), "nobody was told");
        listen.CommandText = "unlisten *";
        await listen.ExecuteNonQueryAsync();
    }
}
