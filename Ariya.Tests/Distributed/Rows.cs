namespace Ariya.Tests.Distributed;

/// <summary>How many rows there are of a person.</summary>
internal static class Rows
{
    public static Task<long> AccountsAsync(this RunningAriya ariya, Person person) =>
        ariya.ScalarAsync<long>("select count(*) from accounts where email_canonical = $1", person.Email);

    public static Task<long> RegistrationsAsync(this RunningAriya ariya, Person person) =>
        ariya.ScalarAsync<long>("select count(*) from registrations where email_canonical = $1", person.Email);

    public static Task<long> SessionsAsync(this RunningAriya ariya, Person person) => ariya.ScalarAsync<long>(
        "select count(*) from sessions s join accounts a on a.id = s.account_id where a.email_canonical = $1", person.Email);

    public static Task<long> LiveSessionsAsync(this RunningAriya ariya, Person person) => ariya.ScalarAsync<long>(
        """
        select count(*) from sessions s join accounts a on a.id = s.account_id
        where a.email_canonical = $1 and s.revoked_at is null
        """, person.Email);

    /// <summary>Moves the ends of this person's links, and their codes' with them, into the past.</summary>
    public static Task<int> MoveLinksBackAsync(this RunningAriya ariya, Person person, TimeSpan by) => ariya.SqlAsync(
        "update one_time_tokens set expires_at = expires_at - $1, code_expires_at = code_expires_at - $1 where address = $2",
        by, person.Email);
}
