using Ariya.Api.Http;
using Ariya.Data;
using Ariya.Data.Audit;

namespace Ariya.Api.Passwords;

/// <summary>
/// Wrong passwords are counted per address, wherever a password is checked and whether or not an account has the address. From the
/// tenth on the next try has to wait, 1 s doubling to 15 min; at a hundred the password is off until a reset (NIST SP 800-63B-4
/// section 3.2.2). Nothing sleeps in a request.
/// </summary>
internal static class SignInDelay
{
    public const int FromFailure = 10;
    public const int DisableAtFailure = 100;

    /// <summary>Seconds to name when the password is off: nothing will change by waiting, so not too often.</summary>
    public const int DisabledRetryAfter = 900;

    /// <summary>Counts one wrong password, judged under the rows' locks: while a delay runs nothing more is counted. One statement, one commit.</summary>
    /// <param name="db">The connection.</param>
    /// <param name="failureKeys">The address's counter, and the network's where it has its own.</param>
    /// <param name="addressKey">The address.</param>
    /// <param name="accountId">The account, if there is one; for the audit only.</param>
    /// <param name="client">Who tried.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    /// <returns>Wrong passwords of the counter that has most; 0 while a delay runs.</returns>
    public static Task<int> CountFailureAsync(
        AriyaDatabase db, byte[][] failureKeys, byte[] addressKey, Guid? accountId, ClientInfo client, CancellationToken cancellationToken)
    {
        return db.QueryFirstAsync(
            $"""
             with f as (
               insert into sign_in_failures (key, address_key, failures, last_failed_at)
               select k, {addressKey}, 1, clock_timestamp() from unnest({failureKeys}) as k order by k
               on conflict (key) do update
                 set failures = sign_in_failures.failures + 1, last_failed_at = clock_timestamp(),
                     delayed_until = case when sign_in_failures.failures + 1 >= {FromFailure} then clock_timestamp()
                       + least(interval '1 second' * (2 ^ least(sign_in_failures.failures + 1 - {FromFailure}, 10)), interval '15 minutes') end
                 where sign_in_failures.failures < {DisableAtFailure}
                   and (sign_in_failures.delayed_until is null or sign_in_failures.delayed_until <= clock_timestamp())
               returning failures),
             e as (
               insert into audit_events (id, kind, account_id, address_key, network, user_agent)
               values ({Guid.CreateVersion7()}, {AuditKinds.SignInFailed}, {accountId}, {addressKey}, {client.Network}, {client.UserAgent}))
             select coalesce(max(failures), 0) from f
             """,
            row => row.GetInt32(0),
            cancellationToken);
    }
}
