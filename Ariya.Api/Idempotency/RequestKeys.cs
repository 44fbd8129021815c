using System.Collections.Concurrent;
using System.Text;
using Ariya.Api.Http;
using Ariya.Data.Keys;

namespace Ariya.Api.Idempotency;

/// <summary>Names requests that carry an Idempotency-Key, and knows which of them this process is working on.</summary>
internal sealed class RequestKeys(SecretKeys secrets)
{
    public const string Header = "Idempotency-Key";
    public const string Rule = "Use 1 to 255 visible ASCII characters.";
    private const int MaxLength = 255;

    private readonly byte[] _key = secrets.Current("idempotency");
    private readonly ConcurrentDictionary<string, bool> _inFlight = new(StringComparer.Ordinal);

    /// <summary>The key of a request; empty without one.</summary>
    /// <returns>False when what was sent is not a key.</returns>
    public static bool TryRead(HttpRequest request, out string key)
    {
        var header = request.Headers[Header];
        key = header.ToString();
        return header.Count == 0
            || (header.Count == 1 && key.Length is > 0 and <= MaxLength && key.All(letter => letter is > ' ' and <= '~'));
    }

    /// <summary>Of a route, a caller and a key. Two callers with one key do not meet, and nobody learns which keys others use.</summary>
    public byte[] Id(string route, string caller, string key) => FieldMac.Of(_key, route, caller, key);

    /// <summary>Equal for equal requests. A body may hold a password: as a plain hash this would undo the slow one.</summary>
    public byte[] Fingerprint(byte[] body, string ifMatch) => FieldMac.Of(_key, "fingerprint"u8.ToArray(), body, Encoding.UTF8.GetBytes(ifMatch));

    /// <summary>Null when the same request is being worked on already.</summary>
    public IDisposable? Enter(byte[] id)
    {
        var name = Convert.ToBase64String(id);
        return _inFlight.TryAdd(name, true) ? new Place(_inFlight, name) : null;
    }

    private sealed class Place(ConcurrentDictionary<string, bool> inFlight, string name) : IDisposable
    {
        public void Dispose() => inFlight.TryRemove(name, out _);
    }
}
