using System.Text.Json;
using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>A row this worker may send until its lease ends.</summary>
/// <param name="Attempts">Tries that judged this mail so far.</param>
/// <param name="KeyId">The secret its token was derived with, when it was minted before.</param>
/// <param name="IsLate">Whether it is too late to be of use.</param>
internal sealed record LeasedMessage(
    Guid Id, string Kind, string Payload, string? Recipient, int Attempts, string? Traceparent, byte[] Salt, Guid MailId,
    DateTimeOffset CreatedAt, string? KeyId, bool IsLate)
{
    /// <summary>A member of the payload; it was written with the row and is always there.</summary>
    public Guid PayloadId(string name) => Guid.Parse(PayloadText(name));

    public string PayloadText(string name)
    {
        using var payload = JsonDocument.Parse(Payload);
        return payload.RootElement.GetProperty(name).GetString()!;
    }
}

/// <summary>What became of a leased row.</summary>
/// <param name="Message">The row.</param>
/// <param name="State">Its next state.</param>
/// <param name="Reason">An SMTP reply or a fixed word.</param>
/// <param name="RetryIn">With <see cref="OutboxStates.Retry"/>: when to try again.</param>
/// <param name="Attempt">The dialogue that judged this mail, if one did; a relay that never came to judge it is no attempt.</param>
internal sealed record Settlement(LeasedMessage Message, string State, string? Reason, TimeSpan RetryIn, DeliveryReport? Attempt);

/// <summary>Claims and settles rows. A claim is a lease: whoever crashes with it loses it when it ends.</summary>
internal sealed class OutboxQueue(AriyaDbContext db)
{
    public Task<List<LeasedMessage>> ClaimAsync(Guid owner, int limit, TimeSpan lease, CancellationToken cancellationToken)
    {
        // now() and not clock_timestamp(), which no index can be searched with: a queue of retries for later would be walked at each look.
        // Materialised: a sub-select with a limit and skip locked may otherwise run again and claim more.
        return db.QueryAsync(
            $"""
             with c as materialized (
               select id from outbox_messages
               where state in ('pending', 'retry', 'leased') and due_at <= now()
               order by due_at limit {limit} for update skip locked)
             update outbox_messages m
             set state = 'leased', lease_owner = {owner}, due_at = clock_timestamp() + {lease}
             from c
             where m.id = c.id
             returning m.id, m.kind, m.payload::text as payload, m.recipient, m.attempts, m.traceparent, m.salt, m.mail_id, m.created_at,
                       (select t.key_id from one_time_tokens t where t.message_id = m.id) as key_id,
                       m.deliver_before <= clock_timestamp() as is_late
             """,
            row => new LeasedMessage(
                row.Get<Guid>("id"), row.Get<string>("kind"), row.Get<string>("payload"), row.GetNullable<string>("recipient"),
                row.Get<int>("attempts"), row.GetNullable<string>("traceparent"), row.Get<byte[]>("salt"), row.Get<Guid>("mail_id"),
                row.Get<DateTimeOffset>("created_at"), row.GetNullable<string>("key_id"), row.Get<bool>("is_late")),
            cancellationToken);
    }

    /// <summary>Keeps the rows of a claim for another lease; a lease that has ended is anybody's and is not revived.</summary>
    public Task<int> RenewAsync(Guid owner, Guid[] messageIds, TimeSpan lease, CancellationToken cancellationToken) => db.ExecuteAsync(
        $"""
         update outbox_messages set due_at = clock_timestamp() + {lease}
         where id = any({messageIds}) and state = 'leased' and lease_owner = {owner} and due_at > clock_timestamp()
         """,
        cancellationToken);

    /// <summary>
    /// Writes what became of a batch and its attempts in one commit. Rows whose lease somebody else holds by now are left alone.
    /// </summary>
    /// <returns>How many rows were settled.</returns>
    public async Task<int> SettleAsync(Guid owner, IReadOnlyList<Settlement> settlements, CancellationToken cancellationToken)
    {
        var settled = await db.QueryAsync(
            $"""
             with o as (
               select * from unnest({settlements.Select(s => s.Message.Id).ToArray()}, {settlements.Select(s => s.State).ToArray()},
                 {settlements.Select(s => s.Reason).ToArray()}, {settlements.Select(s => s.RetryIn).ToArray()},
                 {settlements.Select(s => s.Attempt is null ? null : StageName(s.Attempt.Stage)).ToArray()},
                 {settlements.Select(s => (int)(s.Attempt?.Duration.TotalMilliseconds ?? 0)).ToArray()},
                 {settlements.Select(_ => Guid.CreateVersion7()).ToArray()})
                 as o (id, state, reason, retry_in, stage, duration_ms, attempt_id)),
             u as (
               update outbox_messages m
               set state = o.state, reason = o.reason, lease_owner = null, due_at = clock_timestamp() + o.retry_in,
                   attempts = m.attempts + case when o.stage is null then 0 else 1 end,
                   settled_at = case when o.state <> 'retry' then clock_timestamp() end
               from o where m.id = o.id and m.state = 'leased' and m.lease_owner = {owner}
               returning m.id, m.attempts),
             a as (
               insert into outbox_attempts (id, message_id, attempt, stage, reply, duration_ms)
               select o.attempt_id, o.id, u.attempts, o.stage, coalesce(o.reason, ''), o.duration_ms
               from o join u on u.id = o.id where o.stage is not null)
             select count(*) from u
             """,
            row => (int)row.GetInt64(0), cancellationToken);
        return settled[0];
    }

    private static string StageName(SmtpStage stage) => stage switch
    {
        SmtpStage.Connect => "connect",
        SmtpStage.Mail => "mail",
        SmtpStage.Rcpt => "rcpt",
        SmtpStage.Data => "data",
        SmtpStage.AfterDot => "after-dot",
    };
}
