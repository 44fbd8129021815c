using System.Globalization;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Keys;
using Ariya.Data.Outbox;

namespace Ariya.Worker.Commands;

/// <summary>
/// <c>after-restore</c>: to be run before traffic when the database was set back to an earlier moment. What was revoked, used or sent since
/// then is alive again in it: everybody is signed out, every mailed link ends, and mails wait until somebody decides.
/// </summary>
internal static class AfterRestore
{
    // More than the restore can have lost of any account: no ETag and no cached profile of that time is right by chance.
    private const int LostVersions = 1000;

    public static Task<int> RunAsync(HostApplicationBuilder builder, bool isConfirmed) => OneShot.RunAsync(builder, "after-restore", async (services, cancellationToken) =>
    {
        if (!isConfirmed && !OneShot.IsConfirmed("This signs everybody out and ends every mailed link.", "restored"))
        {
            return OneShot.Failed;
        }

        var db = services.Database();
        long sessions, tokens, mails;
        await using (var transaction = await db.BeginTransactionAsync(cancellationToken))
        {
            // Accounts first, then sessions: a sign-in that waits for its account's row is seen by the statement that ends sessions.
            await db.ExecuteAsync($"update accounts set auth_epoch = auth_epoch + 1, version = version + {LostVersions}, updated_at = clock_timestamp()", cancellationToken);
            sessions = await db.ExecuteAsync(
                $"update sessions set revoked_at = clock_timestamp(), revoked_reason = 'restored' where revoked_at is null", cancellationToken);
            // A verification that counted as used would be answered as if there were an account.
            tokens = await db.ExecuteAsync(
                $"""
                 update one_time_tokens
                 set consumed_at = case when purpose = 'reset_password' then clock_timestamp() end, code_expires_at = null,
                     expires_at = least(expires_at, clock_timestamp())
                 where consumed_at is null
                 """,
                cancellationToken);
            // Those that wait for their new mailbox, and those that the old one could still undo: this is judged by the change and not by its link.
            await db.ExecuteAsync($"update email_changes set expires_at = clock_timestamp() where expires_at > clock_timestamp()", cancellationToken);
            mails = await db.ExecuteAsync(
                $"""
                 update outbox_messages
                 set state = {OutboxStates.Held}, lease_owner = null, settled_at = clock_timestamp(), reason = 'held after a restore'
                 where state in ('pending', 'retry', 'leased')
                 """,
                cancellationToken);
            await db.ExecuteAsync(
                $"insert into audit_events (id, kind, detail) values ({Guid.CreateVersion7()}, {AuditKinds.Restored}, {$"{sessions} sessions, {tokens} links, {mails} mails"})",
                cancellationToken);
            await transaction.CommitAsync(cancellationToken);
        }

        var admins = await db.QueryAsync(
            $"select email from accounts where {Account.AdminRole} = any(roles) and status = 'active' order by email", row => EmailAddress.Mask(row.GetString(0)), cancellationToken);
        await SigningKeyTable.RotateAsync(db, services.GetRequiredService<SecretKeys>(), isNow: true, cancellationToken);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{sessions} sessions ended, {tokens} mailed links ended, {mails} mails held, a new signing key signs."));
        Console.WriteLine($"Admins of that moment: {(admins.Count == 0 ? "none" : string.Join(", ", admins))}. Whose role was taken since then has it again: revoke-admin.");
        Console.WriteLine(
            """
            Before traffic comes back:
            - accounts that were disabled, or whose password was changed, since that moment are as they were: disable them again;
            - replace JWT_REFRESH_SECRET, and do not keep the old one as JWT_REFRESH_SECRET_PREVIOUS;
            - flush Redis;
            - look at the held mails (select kind, created_at, recipient from outbox_messages where state = 'held'):
              some of them were sent already. `Ariya.Worker release-held` sends them, otherwise they are removed in time.
            """);
        return OneShot.Done;
    });
}
