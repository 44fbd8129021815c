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

        // Admins are locked until the commit: of two commands at once the second sees what the first left.
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var others = await db.QueryAsync(
            $"select id, status from accounts where id = {found.Id} or {Account.AdminRole} = any(roles) order by id for no key update",
            row => row.Get<Guid>("id") != found.Id && row.Get<string>("status") == Account.Active, cancellationToken);
        var isLast = !others.Contains(true);
        if (!isConfirmed && isLast && !OneShot.IsConfirmed("This is the last active admin: nobody can use the admin API until grant-admin makes another.", "last"))
        {
            return OneShot.Failed;
        }

        await db.ExecuteAsync(
            $"""
             with a as (
               update accounts set roles = array_remove(roles, {Account.AdminRole}), auth_epoch = auth_epoch + 1, updated_at = clock_timestamp()
               where id = {found.Id} and {Account.AdminRole} = any(roles) returning id)
             insert into audit_events (id, kind, account_id, detail)
             select {Guid.CreateVersion7()}, {AuditKinds.AdminRevoked}, a.id, {AdminRole.Operator} from a
             """,
            cancellationToken);
        await db.ExecuteAsync(
            $"update sessions set revoked_at = clock_timestamp(), revoked_reason = 'role_changed' where account_id = {found.Id} and revoked_at is null",
            cancellationToken);
        await transaction.CommitAsync(cancellationToken);
        Console.WriteLine("It is no admin any more, and signed out.");
        return OneShot.Done;
    });
}
