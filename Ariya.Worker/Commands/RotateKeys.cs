using Ariya.Data;
using Ariya.Data.Audit;
using Ariya.Data.Keys;

namespace Ariya.Worker.Commands;

/// <summary><c>rotate-keys</c>: a new signing key before its time; <c>--now</c> when the old one may be known to somebody.</summary>
internal static class RotateKeys
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, bool isNow) => OneShot.RunAsync(builder, "rotate-keys", async (services, cancellationToken) =>
    {
        var db = services.Database();
        await SigningKeyTable.RotateAsync(db, services.GetRequiredService<SecretKeys>(), isNow, cancellationToken);
        await db.ExecuteAsync(
            $"insert into audit_events (id, kind, detail) values ({Guid.CreateVersion7()}, {AuditKinds.KeysRotated}, {(isNow ? "now" : "in time")})",
            cancellationToken);
        Console.WriteLine(isNow
            ? "A new signing key signs now and the old ones are not published any more. Restart every API instance: each reads the keys once a "
                + "minute, and keeps the tokens that it has checked. Verifiers elsewhere must read the keys again."
            : "A new signing key is published now and signs in 15 minutes; the old one stays published until its last token is dead.");
        return OneShot.Done;
    });
}
