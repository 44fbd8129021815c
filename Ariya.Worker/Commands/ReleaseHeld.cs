using System.Globalization;
using Ariya.Data;
using Ariya.Data.Outbox;

namespace Ariya.Worker.Commands;

/// <summary><c>release-held</c>: mails that a restore held back are sent after all, unless it is too late for them.</summary>
internal static class ReleaseHeld
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, bool isConfirmed) => OneShot.RunAsync(builder, "release-held", async (services, cancellationToken) =>
    {
        var db = services.Database();
        var held = await db.QueryFirstAsync($"select count(*) from outbox_messages where state = {OutboxStates.Held}", row => row.GetInt64(0), cancellationToken);
        if (held > 0 && !isConfirmed && !OneShot.IsConfirmed(string.Create(CultureInfo.InvariantCulture, $"This sends {held} mails, some for the second time."), "send"))
        {
            return OneShot.Failed;
        }

        var released = await db.ExecuteAsync(
            $"""
             update outbox_messages set state = {OutboxStates.Pending}, due_at = clock_timestamp(), settled_at = null, reason = null
             where state = {OutboxStates.Held}
             """,
            cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{released} mails released."));
        return OneShot.Done;
    });
}
