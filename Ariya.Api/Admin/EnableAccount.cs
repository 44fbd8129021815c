using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Problems;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Tokens;

namespace Ariya.Api.Admin;

internal sealed class EnableAccount(AriyaDatabase db, IdempotentWork work, CallerCache cache)
{
    /// <summary>
    /// Makes a disabled account active. Its sessions stay ended and its reset links used: the owner signs in, or asks for a new password. A change of address can still be undone.
    /// </summary>
    public static Task<IResult> HandleAsync(
        Guid id, Caller admin, ClientInfo client, Admission admission, EnableAccount enable, CancellationToken cancellationToken) =>
        admission.RunAsync(
            admin.Account.Id.ToString(), new { id }, () => enable.ApplyAsync(id, admin, client, cancellationToken), cancellationToken);

    // A link that was being made while the account was disabled is ended here: it must not come alive with the account.
    private async Task<IResult> ApplyAsync(Guid id, Caller admin, ClientInfo client, CancellationToken cancellationToken)
    {
        if (id == admin.Account.Id)
        {
            return Problem.OwnAccount();
        }

        // Whoever was disabled meanwhile enables nobody.
        var status = await work.DoAsync(() => db.QueryBatchAsync(
            [
                $"select 1 from accounts where id = any({new[] { id, admin.Account.Id }}) order by id for no key update",
                $"""
                 with a as (
                   update accounts set status = 'active', auth_epoch = auth_epoch + 1, updated_at = clock_timestamp()
                   where id = {id} and status = 'disabled'
                     and exists (
                       select 1 from accounts x where x.id = {admin.Account.Id} and x.status = 'active' and {Account.AdminRole} = any(x.roles))
                   returning id),
                 s as (
                   update sessions x set revoked_at = clock_timestamp(), revoked_reason = 'account_disabled' from a
                   where x.account_id = a.id and x.revoked_at is null),
                 t as (
                   update one_time_tokens x set consumed_at = clock_timestamp() from a
                   where x.subject_id = a.id and x.purpose = {OneTimeToken.ResetPassword} and x.consumed_at is null)
                 {AdminAudit.Event(AuditKinds.AccountEnabled, admin, client, $"a.id", $"from a")}
                 """,
                $"select status from accounts where id = {id}",
            ],
            row => row.GetString(0), cancellationToken), cancellationToken);
        work.WhenCommitted(() => cache.ForgetAccount(id));
        return status.FirstOrDefault() switch
        {
            Account.Active => TypedResults.NoContent(),
            null => Problem.NotFound(),
            _ => Problem.StateConflict(),
        };
    }
}
