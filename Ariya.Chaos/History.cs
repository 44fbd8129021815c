using System.Diagnostics;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ariya.Chaos;

/// <summary>The beginning or the end of an operation or of a fault.</summary>
internal sealed record Entry
{
    public const string Invoke = "invoke";

    /// <summary>A whole 2xx was read.</summary>
    public const string Ok = "ok";

    /// <summary>Refused: 4xx, or 503 as a problem.</summary>
    public const string Fail = "fail";

    /// <summary>No answer: it may have happened.</summary>
    public const string Unknown = "unknown";

    /// <summary>What never may be: another status, or no answer within 30 s. It may have happened too.</summary>
    public const string Violation = "violation";

    public const string Fault = "fault";
    public const string Repair = "repair";

    public long Id { get; init; }
    public required string Phase { get; init; }

    /// <summary>Seconds since the history began, on a clock that only goes forward.</summary>
    public double At { get; init; }

    public required string Kind { get; init; }

    /// <summary>Whom it is about: an address.</summary>
    public string? Subject { get; init; }

    public string? Instance { get; init; }

    /// <summary>The Idempotency-Key.</summary>
    public string? Key { get; init; }

    /// <summary>At the beginning what is asked for, at the end what was learned: a password, a name, a token, a session.</summary>
    public string? Value { get; init; }

    public int? Status { get; init; }
    public string? Code { get; init; }

    /// <summary>When the last byte of the request was handed to the network.</summary>
    public double? Sent { get; init; }
}

/// <summary>Everything that was done and answered, in a file line by line as it happens: what remains if this program is killed.</summary>
internal sealed class History : IDisposable
{
    private static readonly JsonSerializerOptions s_json =
        new(JsonSerializerDefaults.Web) { DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull };

    private readonly Lock _gate = new();
    private readonly List<Entry> _entries = [];
    private readonly StreamWriter _file;
    private readonly long _began = Stopwatch.GetTimestamp();
    private readonly Dictionary<string, int> _counts = [];
    private long _lastId;
    private bool _isClosed;

    public History(string path)
    {
        Path = path;
        _file = new StreamWriter(path) { AutoFlush = true };
    }

    public string Path { get; }

    public double Now => Stopwatch.GetElapsedTime(_began).TotalSeconds;

    public long NextId() => Interlocked.Increment(ref _lastId);

    /// <summary>Stamped under the lock: the order of lines is the order of times.</summary>
    public double Add(Entry entry)
    {
        lock (_gate)
        {
            entry = entry with { At = Now };
            if (!_isClosed)
            {
                _entries.Add(entry);
                _counts[entry.Phase] = _counts.GetValueOrDefault(entry.Phase) + 1;
                _file.WriteLine(JsonSerializer.Serialize(entry, s_json));
            }

            return entry.At;
        }
    }

    /// <summary>Something that contradicts an answer, seen while it runs.</summary>
    public void Contradiction(string kind, string subject, string what) =>
        Add(new Entry { Id = NextId(), Phase = Entry.Violation, Kind = kind, Subject = subject, Value = what });

    public int Count(string phase)
    {
        lock (_gate)
        {
            return _counts.GetValueOrDefault(phase);
        }
    }

    public IReadOnlyList<Entry> Entries()
    {
        lock (_gate)
        {
            return [.. _entries];
        }
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _isClosed = true;
            _file.Dispose();
        }
    }
}
