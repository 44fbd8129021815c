using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;

namespace Ariya.Worker.Commands;

/// <summary><c>revoke-admin</c>: takes the role of an admin, and signs the account out.</summary>
internal static class RevokeAdmin
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, string address, bool isConfirmed) => OneShot.RunAsync(builder, "revoke-admin", async (services, cancellationToken) =>
    {
        var db = services.Database();
        if (await AdminRole.FindAsync(db, address, "revoke-admin", cancellationToken) is not { } found)
        {
            return OneShot.Failed;
        }

        if (!found.IsAdmin)
        {
            Console.WriteLine("It is no admin.");
            return OneShot.Done;
        }

        // Asked before anything is locked: people take their time.
        var isLast = await db.QueryFirstAsync($"select not {Others(found.Id)} as is_last", row => row.Get<bool>("is_last"), cancellationToken);
        if (!isConfirmed && isLast && !OneShot.IsConfirmed("This is the last active admin: nobody can use the admin API until grant-admin makes another.", "last"))
        {
            return OneShot.Failed;
        }

        // Of two commands at once the second sees what the first left; sessions are ended by a later statement than the one that raises the epoch.
        var revoked = await db.QueryBatchAsync(
            [
                $"select 1 from accounts where id = {found.Id} or {Account.AdminRole} = any(roles) order by id for no key update",
                $"""
                 with a as (
                   update accounts set roles = array_remove(roles, {Account.AdminRole}), auth_epoch = auth_epoch + 1, updated_at = clock_timestamp()
                   where id = {found.Id} and {Account.AdminRole} = any(roles) and ({isConfirmed || isLast} or {Others(found.Id)}) returning id)
                 insert into audit_events (id, kind, account_id, detail)
                 select {Guid.CreateVersion7()}, {AuditKinds.AdminRevoked}, a.id, {AdminRole.Operator} from a
                 returning 1
                 """,
                $"""
                 with a as (select id, {Account.AdminRole} = any(roles) as is_admin from accounts where id = {found.Id}),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'role_changed' from a
                   where x.account_id = a.id and not a.is_admin and x.revoked_at is null)
                 select not is_admin from a
                 """,
            ],
            row => row.GetBoolean(0), cancellationToken);
        if (revoked is not [true])
        {
            await Console.Error.WriteLineAsync("revoke-admin failed: it is the last active admin by now, or the account is gone. Run it again.");
            return OneShot.Failed;
        }

        Console.WriteLine("It is no admin any more, and signed out.");
        return OneShot.Done;
    });

    private static SqlText Others(Guid id) =>
        $"exists (select 1 from accounts o where o.id <> {id} and o.status = {Account.Active} and {Account.AdminRole} = any(o.roles))";
}
