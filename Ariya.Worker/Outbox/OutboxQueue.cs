using Ariya.Data;
using Ariya.Data.Outbox;
using Ariya.Worker.Mail;

namespace Ariya.Worker.Outbox;

/// <summary>What to do with the queue in one round trip and one commit.</summary>
internal sealed record OutboxTurn
{
    public IReadOnlyList<Settlement> Settle { get; init; } = [];

    /// <summary>Rows to keep for another lease.</summary>
    public IReadOnlyList<LeasedMessage> Renew { get; init; } = [];

    /// <summary>Look-ups and mints for rows claimed earlier.</summary>
    public IReadOnlyList<SqlStep> Look { get; init; } = [];

    /// <summary>How many rows to claim at most.</summary>
    public int Claim { get; init; }
}

/// <summary>
/// Claims, renews and settles rows. A claim is a lease: whoever crashes with it loses it when it ends, and whoever comes back after
/// that settles nothing.
/// </summary>
internal sealed class OutboxQueue(AriyaDatabase db, TimeProvider clock)
{
    /// <returns>The rows claimed.</returns>
    public async Task<IReadOnlyList<LeasedMessage>> TakeTurnAsync(OutboxTurn turn, TimeSpan lease, CancellationToken cancellationToken)
    {
        var steps = new List<SqlStep>(turn.Look.Count + 3);
        // Taken before the database starts the lease, so that this process thinks it over first.
        var goodUntil = clock.GetTimestamp() + (long)(lease.TotalSeconds * clock.TimestampFrequency);
        var claimed = new List<LeasedMessage>(turn.Claim);
        var renewed = new HashSet<Guid>();
        if (turn.Settle.Count > 0)
        {
            steps.Add(new SqlStep(SettleSql(turn.Settle), _ => { }));
        }

        if (turn.Renew.Count > 0)
        {
            steps.Add(new SqlStep(RenewSql(turn.Renew, lease), row => renewed.Add(row.GetGuid(0))));
        }

        steps.AddRange(turn.Look);
        if (turn.Claim > 0)
        {
            var owner = Guid.CreateVersion7();
            steps.Add(new SqlStep(ClaimSql(owner, turn.Claim, lease), row => claimed.Add(new LeasedMessage
            {
                Id = row.Get<Guid>("id"),
                Owner = owner,
                Kind = row.Get<string>("kind"),
                Payload = row.Get<string>("payload"),
                Recipient = row.GetNullable<string>("recipient"),
                Attempts = row.Get<int>("attempts"),
                Traceparent = row.GetNullable<string>("traceparent"),
                Salt = row.Get<byte[]>("salt"),
                MailId = row.Get<Guid>("mail_id"),
                CreatedAt = row.Get<DateTimeOffset>("created_at"),
                KeyId = row.GetNullable<string>("key_id"),
                SubjectId = row.GetNullable<Guid?>("subject_id"),
                IsLate = row.Get<bool>("is_late"),
                GoodUntil = goodUntil,
            })));
        }

        if (steps.Count == 0)
        {
            // Rows that cannot be read ask nothing.
            return [];
        }

        await db.BatchAsync(steps, cancellationToken);
        foreach (var message in turn.Renew)
        {
            message.IsLost = !renewed.Contains(message.Id);
            message.GoodUntil = message.IsLost ? 0 : goodUntil;
        }

        return claimed;
    }

    // now() and not clock_timestamp(), which no index can be searched with: a queue of retries for later would be walked at each look.
    // Materialised: a sub-select with a limit and skip locked may otherwise run again and claim more.
    private static SqlText ClaimSql(Guid owner, int limit, TimeSpan lease) =>
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
                   -- Another try is about whom the first one was about: its link may be in a mailbox.
                   coalesce(
                     (select t.subject_id from one_time_tokens t where t.message_id = m.id),
                     case m.kind
                       when {MailKinds.PasswordReset} then
                         (select a.id from accounts a where a.email_canonical = m.recipient and a.status = 'active')
                       when {MailKinds.VerificationAgain} then
                         (select r.id from registrations r where r.email_canonical = m.recipient and r.expires_at > clock_timestamp()
                          order by r.requested_at desc limit 1)
                     end) as subject_id,
                   m.deliver_before <= clock_timestamp() as is_late
         """;

    // A lease that has ended is anybody's and is not revived.
    private static SqlText RenewSql(IReadOnlyList<LeasedMessage> messages, TimeSpan lease) =>
        $"""
         update outbox_messages m set due_at = clock_timestamp() + {lease}
         from unnest({messages.Select(message => message.Id).ToArray()}, {messages.Select(message => message.Owner).ToArray()}) o (id, owner)
         where m.id = o.id and m.lease_owner = o.owner and m.state = 'leased' and m.due_at > clock_timestamp()
         returning m.id
         """;

    // Rows and attempts; rows whose lease somebody else holds by now are left alone.
    private static SqlText SettleSql(IReadOnlyList<Settlement> settlements) =>
        $"""
         with o as (
           select * from unnest({settlements.Select(s => s.Message.Id).ToArray()}, {settlements.Select(s => s.Message.Owner).ToArray()},
             {settlements.Select(s => s.State).ToArray()}, {settlements.Select(s => s.Reason).ToArray()},
             {settlements.Select(s => s.RetryIn).ToArray()},
             {settlements.Select(s => s.Attempt is null ? null : StageName(s.Attempt.Stage)).ToArray()},
             {settlements.Select(s => s.Attempt?.Reply).ToArray()},
             {settlements.Select(s => (int)(s.Attempt?.Duration.TotalMilliseconds ?? 0)).ToArray()},
             {settlements.Select(_ => Guid.CreateVersion7()).ToArray()})
             as o (id, owner, state, reason, retry_in, stage, reply, duration_ms, attempt_id)),
         u as (
           update outbox_messages m
           set state = o.state, lease_owner = null,
               reason = case when o.state = 'expired' then o.reason || coalesce('; last: ' || m.reason, '') else coalesce(o.reason, m.reason) end,
               -- What would come too late is found out when it is too late, not a retry later.
               due_at = least(clock_timestamp() + o.retry_in, m.deliver_before),
               attempts = m.attempts + case when o.stage is null then 0 else 1 end,
               settled_at = case when o.state <> 'retry' then clock_timestamp() end
           from o where m.id = o.id and m.state = 'leased' and m.lease_owner = o.owner
           returning m.id, m.attempts),
         a as (
           insert into outbox_attempts (id, message_id, attempt, stage, reply, duration_ms)
           select o.attempt_id, o.id, u.attempts, o.stage, o.reply, o.duration_ms
           from o join u on u.id = o.id where o.stage is not null)
         select count(*) from u
         """;

    private static string StageName(SmtpStage stage) => stage switch
    {
        SmtpStage.Connect => "connect",
        SmtpStage.Mail => "mail",
        SmtpStage.Rcpt => "rcpt",
        SmtpStage.Data => "data",
        SmtpStage.AfterDot => "after-dot",
    };
}
