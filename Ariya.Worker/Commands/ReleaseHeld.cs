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

        // With links of their own: one that was mailed before the restore, and perhaps used, must not come alive again.
        var released = await db.QueryFirstAsync(
            $"""
             with r as (
               update outbox_messages
               set state = {OutboxStates.Pending}, due_at = clock_timestamp(), settled_at = null, reason = null, mail_id = gen_random_uuid(),
                   salt = decode(replace(gen_random_uuid()::text || gen_random_uuid()::text, '-', ''), 'hex')
               where state = {OutboxStates.Held} returning id),
             x as (delete from one_time_tokens t using r where t.message_id = r.id)
             select count(*) from r
             """,
            row => row.GetInt64(0), cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{released} mails released."));
        return OneShot.Done;
    });
}
