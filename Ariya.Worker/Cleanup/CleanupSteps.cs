using Ariya.Data;

namespace Ariya.Worker.Cleanup;

/// <summary>Removes one kind of row, batch by batch, in the order of an index.</summary>
/// <param name="Name">What is removed, as commands print it.</param>
/// <param name="Batch">
/// Removes the next rows from a moment on, at most so many; answers how many and the moment of the last, from which the next batch
/// goes on. Rows that somebody else holds are left for the next run.
/// </param>
internal sealed record CleanupStep(string Name, Func<DateTimeOffset, int, SqlText> Batch);

/// <summary>
/// What is removed and when: the one place. Until when is said with now(), which an index can be searched with: with clock_timestamp() the last batch walks
/// through all that is kept. And a batch is removed by its keys as an array: joined, it is a walk through the table for each.
/// </summary>
internal static class CleanupSteps
{
    public static CleanupStep Tokens(RetentionOptions kept) => new("expired tokens", (from, limit) =>
        $"""
         with d as materialized (
           select message_id, expires_at as moment from one_time_tokens
           where expires_at >= {from} and expires_at < now() - {kept.Tokens}
           order by expires_at limit {limit} for update skip locked),
         x as (delete from one_time_tokens where message_id = any(array(select message_id from d)))
         select count(*), max(moment) from d
         """);

    public static IReadOnlyList<CleanupStep> All(RetentionOptions kept) =>
    [
        Tokens(kept),
        new("registrations that nobody proved", (from, limit) =>
            $"""
             with d as materialized (
               select id, expires_at as moment from registrations
               where expires_at >= {from} and expires_at < now() - {kept.Registrations}
               order by expires_at limit {limit} for update skip locked),
             x as (delete from registrations where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        // Not before its longest life is over, however short sessions are kept: a token of a session that is not there although it
        // should be means that the database was set back.
        new("ended sessions", (from, limit) =>
            $"""
             with d as materialized (
               select id, expires_at as moment from sessions
               where expires_at >= {from} and expires_at < now()
                 and least(revoked_at, idle_expires_at, expires_at) < now() - {kept.Sessions}
               order by expires_at limit {limit} for update skip locked),
             x as (delete from sessions where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        // Nothing can be done any more with a change whose time is over, and it holds two addresses. Those of a deleted account go with it: they say whose it was.
        new("changes of address that are over", (from, limit) =>
            $"""
             with d as materialized (
               select id, expires_at as moment from email_changes c
               where expires_at >= {from} and expires_at < now() - {kept.Tokens}
                 and not exists (select 1 from accounts a where a.id = c.account_id and a.status = 'deleted')
               order by expires_at limit {limit} for update skip locked),
             x as (delete from email_changes where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        // With its sessions, its business and its picture. Not before the longest of those sessions would be over, as above. Mails that are kept
        // longer lose the address, which stands behind the id in what the account has instead of one.
        new("deleted accounts", (from, limit) =>
            $"""
             with d as materialized (
               select id, deleted_at as moment, split_part(email_canonical, ':', 3) as address from accounts a
               where deleted_at >= {from} and deleted_at < now() - {kept.DeletedAccounts}
                 and not exists (select 1 from sessions s where s.account_id = a.id and s.expires_at > clock_timestamp())
               order by deleted_at limit {limit} for update skip locked),
             m as (
               update outbox_messages t set recipient = null from d
               where t.recipient = d.address and (t.created_at <= d.moment or t.payload ->> 'accountId' = d.id::text) and t.state not in ('pending', 'leased', 'retry')),
             x as (delete from accounts where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        // At a hundred failures an address is off until its owner resets the password.
        new("counters of wrong passwords and codes", (from, limit) =>
            $"""
             with d as materialized (
               select key, last_failed_at as moment from sign_in_failures
               where last_failed_at >= {from} and last_failed_at < now() - {kept.SignInFailures} and failures < 100
               order by last_failed_at limit {limit} for update skip locked),
             x as (delete from sign_in_failures where key = any(array(select key from d)))
             select count(*), max(moment) from d
             """),
        new("answers to repeated requests", (from, limit) =>
            $"""
             with d as materialized (
               select id, created_at as moment from idempotency_keys
               where created_at >= {from} and created_at < now() - {kept.IdempotencyKeys}
               order by created_at limit {limit} for update skip locked),
             x as (delete from idempotency_keys where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        Mails("sent mails", ["sent"], kept.SentMail),
        Mails("dropped, superseded and late mails", ["dropped", "superseded", "expired"], kept.DroppedMail),
        Mails("dead and held mails", ["dead", "held"], kept.DeadMail),
        new("addresses of dropped and late mails", (from, limit) =>
            $"""
             with d as materialized (
               select id, settled_at as moment from outbox_messages
               where settled_at >= {from} and settled_at < now() - {kept.DroppedRecipients} and state in ('dropped', 'expired') and recipient is not null
               order by settled_at limit {limit} for update skip locked),
             x as (update outbox_messages set recipient = null where id = any(array(select id from d)))
             select count(*), max(moment) from d
             """),
        // Whole sealed spans only, so that what is left can still be checked; and marked first, so that it can be at any moment. The last seal
        // whose events go stays, as the beginning of the chain.
        new("audit spans", (from, limit) =>
            $"""
             with s as (
               select number, last_at as moment from audit_seals
               where last_at >= {from} and last_at < now() - {kept.Audit} order by number desc limit least(1, {limit})),
             x as (update audit_seals t set is_pruned = true from s where t.number = s.number and not t.is_pruned)
             select 0::bigint, max(moment) from s
             """),
        // Not locked first, as other rows are: that takes the right to change them, which the worker does not have (Commands/Roles.sql).
        new("audit events", (from, limit) =>
            $"""
             with s as (select last_at, last_id from audit_seals where is_pruned order by number desc limit 1),
             d as materialized (
               select e.id, e.at as moment from audit_events e, s
               where e.at >= {from} and (e.at, e.id) <= (s.last_at, s.last_id)
               order by e.at, e.id limit {limit}),
             x as (delete from audit_events where id = any(array(select id from d)) returning 1)
             select (select count(*) from x), max(moment) from d
             """),
        new("audit seals", (from, limit) =>
            $"""
             with s as (select number from audit_seals where is_pruned order by number desc limit 1),
             d as materialized (
               select t.number, t.last_at as moment from audit_seals t, s
               where t.number < s.number and t.last_at >= {from} order by t.number limit {limit} for update of t skip locked),
             x as (delete from audit_seals where number = any(array(select number from d)))
             select count(*), max(moment) from d
             """),
    ];

    private static CleanupStep Mails(string name, string[] states, TimeSpan kept) => new(name, (from, limit) =>
        $"""
         with d as materialized (
           select id, settled_at as moment from outbox_messages
           where settled_at >= {from} and settled_at < now() - {kept} and state = any({states})
           order by settled_at limit {limit} for update skip locked),
         x as (delete from outbox_messages where id = any(array(select id from d)))
         select count(*), max(moment) from d
         """);
}
