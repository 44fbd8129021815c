using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data;
using Ariya.Data.Keys;
using Npgsql;

namespace Ariya.Worker.Audit;

/// <summary>What is wrong with the chain, and where.</summary>
internal sealed record AuditFault(long Seal, string What);

/// <summary>What a check found.</summary>
/// <param name="Seals">Seals that were checked.</param>
/// <param name="Events">Events under them.</param>
/// <param name="Unsealed">Events that are younger than the last seal.</param>
/// <param name="Since">The first moment that the chain still covers; null when it was never cut.</param>
/// <param name="LastHash">Hash of the last seal: kept elsewhere, it shows whether the end of the chain was cut off.</param>
/// <param name="UnknownKeys">Seals whose secret is not configured any more; the ones after them vouch for their hashes.</param>
/// <param name="Fault">The first fault, or null.</param>
internal sealed record AuditReport(
    long Seals, long Events, long Unsealed, DateTimeOffset? Since, string LastHash, long UnknownKeys, AuditFault? Fault);

/// <summary>
/// Seals audit events in spans and checks the seals. Each hash covers the one before, so that changing, adding or removing one sealed
/// event breaks every later seal; each is vouched for by an HMAC under a key from JWT_SECRET, which a writer in the database
/// does not have.
/// </summary>
internal sealed class AuditChain(AriyaDatabase db, SecretKeys secrets)
{
    private const string Label = "audit-seal";
    private const int MaxEvents = 10_000;
    private const string Foreign = "it was not written by a worker of this deployment";

    // Longer than the time-outs let a request's transaction live: an event is dated before its commit, and must not appear in a span that is sealed.
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(60);
    private static readonly Seal s_none = new(0, DateTimeOffset.UnixEpoch, Guid.Empty, 0, [], [], "");

    /// <summary>Seals what is old enough; of several workers one does it.</summary>
    /// <returns>How many events were sealed.</returns>
    public async Task<int> SealAsync(CancellationToken cancellationToken)
    {
        var total = 0;
        while (true)
        {
            var last = await SealAsync($"select number, last_at, last_id, events, hash, mac, key_id from audit_seals order by number desc limit 1", cancellationToken) ?? s_none;
            var events = await EventsAsync(last.LastAt, last.LastId, null, null, cancellationToken);
            if (events.Count == 0)
            {
                return total;
            }

            var end = events[^1];
            if (last.Number > 0 && !IsGenuine(last))
            {
                throw new InvalidOperationException($"Audit seal {last.Number} was not written by a worker of this deployment. Run: Ariya.Worker verify-audit");
            }

            var hash = Hash(last.Hash, last.Number + 1, events);
            var mac = Mac(secrets.Current(Label), last.Number + 1, end.At, end.Id, events.Count, hash);
            // The number is the key: of two workers that got here at once, the second writes nothing.
            var written = await db.ExecuteAsync(
                $"""
                 insert into audit_seals (number, last_at, last_id, events, hash, mac, key_id)
                 values ({last.Number + 1}, {end.At}, {end.Id}, {events.Count}, {hash}, {mac}, {secrets.KeyIds[0]})
                 on conflict (number) do nothing
                 """,
                cancellationToken);
            total += written * events.Count;
            if (written == 0 || events.Count < MaxEvents)
            {
                return total;
            }
        }
    }

    /// <param name="told">Called with the number of seals checked, now and then.</param>
    /// <param name="cancellationToken">Ends the check.</param>
    public async Task<AuditReport> VerifyAsync(Action<long> told, CancellationToken cancellationToken)
    {
        // What retention removes is marked first: events and seals before it may be there in part.
        var pruned = await SealAsync($"select number, last_at, last_id, events, hash, mac, key_id from audit_seals where is_pruned order by number desc limit 1", cancellationToken);
        var before = pruned ?? s_none;
        var (seals, total, unknown, isLastKnown) = (0L, 0L, 0L, true);
        var fault = pruned is not null && !IsGenuine(pruned) ? new AuditFault(pruned.Number, Foreign) : null;
        while (fault is null && await SealAsync($"select number, last_at, last_id, events, hash, mac, key_id from audit_seals where number > {before.Number} order by number limit 1", cancellationToken) is { } seal)
        {
            var events = await EventsAsync(before.LastAt, before.LastId, seal.LastAt, seal.LastId, cancellationToken);
            total += events.Count;
            fault = Judge(before, seal, events);
            // An earlier secret that is not configured any more is vouched for by what was sealed after it, and by nothing else.
            var wasKnown = isLastKnown && seals > 0;
            isLastKnown = secrets.KeyIds.Contains(seal.KeyId);
            unknown += isLastKnown ? 0 : 1;
            if (isLastKnown ? !IsGenuine(seal) : wasKnown)
            {
                fault ??= new AuditFault(seal.Number, Foreign);
            }

            before = seal;
            if (++seals % 100 == 0)
            {
                told(seals);
            }
        }

        fault ??= isLastKnown ? null : new AuditFault(before.Number, "no configured secret made the last seal: configure it as JWT_SECRET_PREVIOUS, or do not believe the chain");
        var unsealed = await db.QueryFirstAsync(
            $"select count(*) from audit_events where (at, id) > ({before.LastAt}, {before.LastId})", row => row.GetInt64(0), cancellationToken);
        return new AuditReport(seals, total, unsealed, pruned?.LastAt, Convert.ToHexStringLower(before.Hash), unknown, fault);
    }

    private bool IsGenuine(Seal seal) => secrets.Find(seal.KeyId, Label) is { } key && CryptographicOperations.FixedTimeEquals(
        Mac(key, seal.Number, seal.LastAt, seal.LastId, seal.Events, seal.Hash), seal.Mac);

    // Over the span too: whoever could move its end could hide what lies behind.
    private static byte[] Mac(byte[] key, long number, DateTimeOffset lastAt, Guid lastId, int events, byte[] hash)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        Append(mac, number);
        Append(mac, lastAt.UtcTicks);
        Append(mac, lastId.ToByteArray(bigEndian: true));
        Append(mac, events);
        Append(mac, hash);
        return mac.GetHashAndReset();
    }

    private static AuditFault? Judge(Seal before, Seal seal, List<Event> events)
    {
        if (seal.Number != before.Number + 1)
        {
            return new AuditFault(seal.Number, $"seals {before.Number + 1} to {seal.Number - 1} are missing");
        }

        if (events.Count != seal.Events)
        {
            return new AuditFault(seal.Number, $"it covers {seal.Events} events, and there are {events.Count}");
        }

        return Hash(before.Hash, seal.Number, events).AsSpan().SequenceEqual(seal.Hash)
            ? null
            : new AuditFault(seal.Number, "one of its events, or the seal before it, is not as it was");
    }

    private static byte[] Hash(byte[] before, long number, List<Event> events)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        Append(hash, before);
        Append(hash, number);
        Append(hash, events.Count);
        foreach (var one in events)
        {
            Append(hash, one.Id.ToByteArray(bigEndian: true));
            Append(hash, one.At.UtcTicks);
            Append(hash, Encoding.UTF8.GetBytes(one.Kind));
            Append(hash, one.AccountId?.ToByteArray(bigEndian: true));
            Append(hash, one.SessionId?.ToByteArray(bigEndian: true));
            Append(hash, one.AddressKey);
            Append(hash, one.Network is null ? null : Encoding.UTF8.GetBytes(one.Network));
            Append(hash, one.UserAgent is null ? null : Encoding.UTF8.GetBytes(one.UserAgent));
            Append(hash, one.Detail is null ? null : Encoding.UTF8.GetBytes(one.Detail));
        }

        return hash.GetHashAndReset();
    }

    private static void Append(IncrementalHash hash, long number)
    {
        Span<byte> bytes = stackalloc byte[8];
        BinaryPrimitives.WriteInt64BigEndian(bytes, number);
        hash.AppendData(bytes);
    }

    // Length first, so that no two lists of fields give the same bytes; nothing is another thing than an empty field.
    private static void Append(IncrementalHash hash, byte[]? field)
    {
        Append(hash, field?.Length ?? -1L);
        hash.AppendData(field ?? []);
    }

    private async Task<Seal?> SealAsync(SqlText sql, CancellationToken cancellationToken) => await db.QueryFirstAsync<Seal>(
        sql,
        row => new Seal(row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.GetGuid(2), row.GetInt32(3), row.GetFieldValue<byte[]>(4),
            row.GetFieldValue<byte[]>(5), row.GetString(6)),
        cancellationToken);

    // Without an end: those that may be sealed now. now() is one moment; clock_timestamp() goes on while rows are read, and a later event
    // would be sealed where an earlier one was not.
    private Task<List<Event>> EventsAsync(
        DateTimeOffset afterAt, Guid afterId, DateTimeOffset? untilAt, Guid? untilId, CancellationToken cancellationToken)
    {
        return untilAt is { } lastAt
            ? db.QueryAsync(
                $"""
                 select id, at, kind, account_id, session_id, address_key, network, user_agent, detail from audit_events
                 where (at, id) > ({afterAt}, {afterId}) and (at, id) <= ({lastAt}, {untilId!.Value})
                 order by at, id limit {MaxEvents + 1}
                 """, Event.Read, cancellationToken)
            : db.QueryAsync(
                $"""
                 select id, at, kind, account_id, session_id, address_key, network, user_agent, detail from audit_events
                 where (at, id) > ({afterAt}, {afterId}) and at < now() - {s_settled}
                 order by at, id limit {MaxEvents}
                 """, Event.Read, cancellationToken);
    }

    private sealed record Seal(
        long Number, DateTimeOffset LastAt, Guid LastId, int Events, byte[] Hash, byte[] Mac, string KeyId);

    private sealed record Event(
        Guid Id, DateTimeOffset At, string Kind, Guid? AccountId, Guid? SessionId, byte[]? AddressKey, string? Network, string? UserAgent, string? Detail)
    {
        public static Event Read(NpgsqlDataReader row) => new(
            row.Get<Guid>("id"), row.Get<DateTimeOffset>("at"), row.Get<string>("kind"), row.GetNullable<Guid?>("account_id"),
            row.GetNullable<Guid?>("session_id"), row.GetNullable<byte[]>("address_key"), row.GetNullable<string>("network"),
            row.GetNullable<string>("user_agent"), row.GetNullable<string>("detail"));
    }
}
