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
internal sealed class AuditChain(AriyaDbContext db, SecretKeys secrets)
{
    private const string Label = "audit-seal";
    private const int MaxEvents = 10_000;

    // Longer than any transaction lives: an event is dated before its commit, and must not appear in a span that is sealed.
    private static readonly TimeSpan s_settled = TimeSpan.FromSeconds(60);

    /// <summary>Seals what is old enough; of several workers one does it.</summary>
    /// <returns>How many events were sealed.</returns>
    public async Task<int> SealAsync(CancellationToken cancellationToken)
    {
        var total = 0;
        while (true)
        {
            var last = await LastSealAsync(cancellationToken);
            var events = await EventsAsync(last.At, last.Id, null, null, cancellationToken);
            if (events.Count == 0)
            {
                return total;
            }

            var end = events[^1];
            var hash = Hash(last.Hash, last.Number + 1, events);
            // The number is the key: of two workers that got here at once, the second writes nothing.
            var written = await db.ExecuteAsync(
                $"""
                 insert into audit_seals (number, last_at, last_id, events, hash, mac, key_id)
                 values ({last.Number + 1}, {end.At}, {end.Id}, {events.Count}, {hash}, {HMACSHA256.HashData(secrets.Current(Label), hash)}, {secrets.KeyIds[0]})
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
        var before = new Seal(0, DateTimeOffset.UnixEpoch, Guid.Empty, 0, [], [], "", false);
        Seal? pruned = null;
        var (seals, total, unknown) = (0L, 0L, 0L);
        AuditFault? fault = null;
        while (fault is null && await NextSealAsync(before.Number, cancellationToken) is { } seal)
        {
            if (seal.IsPruned && seals == 0)
            {
                pruned = seal;
            }
            else
            {
                var events = await EventsAsync(before.LastAt, before.LastId, seal.LastAt, seal.LastId, cancellationToken);
                total += events.Count;
                fault = Judge(before, seal, events);
            }

            var key = secrets.Find(seal.KeyId, Label);
            unknown += key is null ? 1 : 0;
            if (key is not null && !CryptographicOperations.FixedTimeEquals(HMACSHA256.HashData(key, seal.Hash), seal.Mac))
            {
                fault ??= new AuditFault(seal.Number, "it was not written by a worker of this deployment");
            }

            before = seal;
            if (++seals % 100 == 0)
            {
                told(seals);
            }
        }

        var unsealed = await db.QueryFirstAsync(
            $"select count(*) from audit_events where (at, id) > ({before.LastAt}, {before.LastId})", row => row.GetInt64(0), cancellationToken);
        var strays = pruned is null ? 0 : await db.QueryFirstAsync(
            $"select count(*) from audit_events where (at, id) <= ({pruned.LastAt}, {pruned.LastId})", row => row.GetInt64(0), cancellationToken);
        fault ??= strays > 0 ? new AuditFault(0, $"{strays} events stand where all were removed") : null;
        return new AuditReport(seals, total, unsealed, pruned?.LastAt, Convert.ToHexStringLower(before.Hash), unknown, fault);
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

    private async Task<(long Number, DateTimeOffset At, Guid Id, byte[] Hash)> LastSealAsync(CancellationToken cancellationToken)
    {
        var found = await db.QueryAsync(
            $"select number, last_at, last_id, hash from audit_seals order by number desc limit 1",
            row => (row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.GetGuid(2), row.GetFieldValue<byte[]>(3)), cancellationToken);
        return found.Count == 0 ? (0, DateTimeOffset.UnixEpoch, Guid.Empty, []) : found[0];
    }

    private Task<Seal?> NextSealAsync(long after, CancellationToken cancellationToken) => db.QueryFirstAsync<Seal>(
        $"select number, last_at, last_id, events, hash, mac, key_id, is_pruned from audit_seals where number > {after} order by number limit 1",
        row => new Seal(row.GetInt64(0), row.GetFieldValue<DateTimeOffset>(1), row.GetGuid(2), row.GetInt32(3), row.GetFieldValue<byte[]>(4),
            row.GetFieldValue<byte[]>(5), row.GetString(6), row.GetBoolean(7)),
        cancellationToken);

    // Without an end: those that may be sealed now.
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
                 where (at, id) > ({afterAt}, {afterId}) and at < clock_timestamp() - {s_settled}
                 order by at, id limit {MaxEvents}
                 """, Event.Read, cancellationToken);
    }

    private sealed record Seal(
        long Number, DateTimeOffset LastAt, Guid LastId, int Events, byte[] Hash, byte[] Mac, string KeyId, bool IsPruned);

    private sealed record Event(
        Guid Id, DateTimeOffset At, string Kind, Guid? AccountId, Guid? SessionId, byte[]? AddressKey, string? Network, string? UserAgent, string? Detail)
    {
        public static Event Read(NpgsqlDataReader row) => new(
            row.Get<Guid>("id"), row.Get<DateTimeOffset>("at"), row.Get<string>("kind"), row.GetNullable<Guid?>("account_id"),
            row.GetNullable<Guid?>("session_id"), row.GetNullable<byte[]>("address_key"), row.GetNullable<string>("network"),
            row.GetNullable<string>("user_agent"), row.GetNullable<string>("detail"));
    }
}
