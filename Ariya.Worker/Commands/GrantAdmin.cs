using System.Globalization;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Worker.Commands;

/// <summary><c>grant-admin</c>: makes an account an admin. There is no other way to become one, and no admin to begin with.</summary>
internal static class GrantAdmin
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, string address, bool isConfirmed) => OneShot.RunAsync(builder, "grant-admin", async (services, cancellationToken) =>
    {
        var db = services.Database();
        if (await AdminRole.FindAsync(db, address, "grant-admin", cancellationToken) is not { } found)
        {
            return OneShot.Failed;
        }

        if (found.Status != Account.Active)
        {
            await Console.Error.WriteLineAsync($"grant-admin failed: the account is {found.Status}.");
            return OneShot.Failed;
        }

        if (found.IsAdmin)
        {
            Console.WriteLine("It is an admin already.");
            return OneShot.Done;
        }

        // The link that undoes a change makes its old mailbox the owner, and would make it an admin.
        var undoableUntil = await db.QueryFirstAsync(
            $"select max(expires_at) as until from email_changes where account_id = {found.Id} and expires_at > clock_timestamp()",
            row => row.GetNullable<DateTimeOffset?>("until"), cancellationToken);
        if (undoableUntil is { } until)
        {
            await Console.Error.WriteLineAsync(string.Create(CultureInfo.InvariantCulture,
                $"grant-admin failed: a change of its address can be confirmed or undone until {until.UtcDateTime:yyyy-MM-dd HH:mm} UTC. Grant it after that."));
            return OneShot.Failed;
        }

        // Somebody else may have registered the address that an operator has in mind, and signed in: they read who it is before they answer.
        if (!isConfirmed && !OneShot.IsConfirmed("This account will see and disable every other. It is signed out.", "admin"))
        {
            return OneShot.Failed;
        }

        // The epoch is raised before sessions are ended, by an earlier statement: a session from before the grant never becomes an admin's.
        var granted = await db.QueryBatchAsync(
            [
                $"select 1 from accounts where id = {found.Id} or {Account.AdminRole} = any(roles) order by id for no key update",
                $"""
                 with a as (
                   update accounts set roles = array_append(roles, {Account.AdminRole}), auth_epoch = auth_epoch + 1, updated_at = clock_timestamp()
                   where id = {found.Id} and status = 'active' and not {Account.AdminRole} = any(roles)
                     and not exists (select 1 from email_changes x where x.account_id = accounts.id and x.expires_at > clock_timestamp())
                   returning id, email_canonical),
                 told as (
                   select id, email_canonical from a
                   union
                   select x.id, x.email_canonical from accounts x, a where {Account.AdminRole} = any(x.roles) and x.status = 'active'),
                 m as (
                   insert into outbox_messages (id, mail_id, kind, payload, recipient, deliver_before, salt)
                   select uuidv7(), uuidv7(), {MailKinds.AdminGranted},
                          jsonb_build_object('accountId', told.id, 'adminId', {found.Id}), told.email_canonical, clock_timestamp() + interval '72 hours',
                          uuid_send(gen_random_uuid())
                   from told)
                 insert into audit_events (id, kind, account_id, detail)
                 select {Guid.CreateVersion7()}, {AuditKinds.AdminGranted}, a.id, {AdminRole.Operator} from a
                 returning 1
                 """,
                $"""
                 with a as (select id, status, roles from accounts where id = {found.Id}),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'role_changed' from a
                   where x.account_id = a.id and x.revoked_at is null)
                 select status = 'active' and {Account.AdminRole} = any(roles) from a
                 """,
            ],
            row => row.GetBoolean(0), cancellationToken);
        if (!granted.Single())
        {
            await Console.Error.WriteLineAsync("grant-admin failed: the account was changed meanwhile.");
            return OneShot.Failed;
        }

        Console.WriteLine("It is an admin from its next sign-in on. Its owner and every admin get a mail.");
        return OneShot.Done;
    });
}
