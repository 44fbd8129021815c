using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Keys;

namespace Ariya.Api.Idempotency;

/// <summary>Names requests that carry an Idempotency-Key, and knows which of them this process is working on.</summary>
internal sealed class RequestKeys(SecretKeys secrets)
{
    public const string Header = "Idempotency-Key";
    public const int MaxLength = 255;
    public const string Rule = "Use 1 to 255 visible ASCII characters.";

    private readonly byte[] _key = secrets.Current("idempotency");
    private readonly ConcurrentDictionary<string, bool> _inFlight = new(StringComparer.Ordinal);

    public static bool IsKey(string value) => value.Length is > 0 and <= MaxLength && value.All(letter => letter is > ' ' and <= '~');

    /// <summary>Of a route, a caller and a key. Two callers with one key do not meet, and nobody learns which keys others use.</summary>
    public byte[] Id(string route, string caller, string key) => Mac(route, caller, key);

    /// <summary>Equal for equal requests. A body may hold a password: as a plain hash this would undo the slow one.</summary>
    public byte[] Fingerprint(byte[] body, string ifMatch) => Mac("fingerprint", Convert.ToBase64String(body), ifMatch);

    /// <summary>Null when the same request is being worked on already.</summary>
    public IDisposable? Enter(byte[] id)
    {
        var name = Convert.ToBase64String(id);
        return _inFlight.TryAdd(name, true) ? new Place(_inFlight, name) : null;
    }

    private byte[] Mac(params ReadOnlySpan<string> parts)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, _key);
        foreach (var part in parts)
        {
            // Length first, so that no two lists of parts are one text.
            var bytes = Encoding.UTF8.GetBytes(part);
            mac.AppendData(BitConverter.GetBytes(bytes.Length));
            mac.AppendData(bytes);
        }

        return mac.GetHashAndReset();
    }

    private sealed class Place(ConcurrentDictionary<string, bool> inFlight, string name) : IDisposable
    {
        public void Dispose() => inFlight.TryRemove(name, out _);
    }
}
