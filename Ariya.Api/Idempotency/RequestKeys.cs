using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Keys;

namespace Ariya.Api.Idempotency;

/// <summary>Names requests that carry an Idempotency-Key, and knows which of them this process is working on.</summary>
internal sealed class RequestKeys(SecretKeys secrets)
{
    public const string Header = "Idempotency-Key";
    private const int MaxLength = 255;
    public const string Rule = "Use 1 to 255 visible ASCII characters.";

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
    public byte[] Id(string route, string caller, string key) => Mac(Utf8(route), Utf8(caller), Utf8(key));

    /// <summary>Equal for equal requests. A body may hold a password: as a plain hash this would undo the slow one.</summary>
    public byte[] Fingerprint(byte[] body, string ifMatch) => Mac("fingerprint"u8.ToArray(), body, Utf8(ifMatch));

    /// <summary>Null when the same request is being worked on already.</summary>
    public IDisposable? Enter(byte[] id)
    {
        var name = Convert.ToBase64String(id);
        return _inFlight.TryAdd(name, true) ? new Place(_inFlight, name) : null;
    }

    private static byte[] Utf8(string text) => Encoding.UTF8.GetBytes(text);

    private byte[] Mac(params ReadOnlySpan<byte[]> parts)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        foreach (var part in parts)
        {
            // Length first, so that no two lists of parts are one text.
            mac.AppendData(BitConverter.GetBytes(part.Length));
            mac.AppendData(part);
        }

        return mac.GetHashAndReset();
    }

    private sealed class Place(ConcurrentDictionary<string, bool> inFlight, string name) : IDisposable
    {
        public void Dispose() => inFlight.TryRemove(name, out _);
    }
}
