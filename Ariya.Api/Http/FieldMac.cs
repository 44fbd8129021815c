using System.Security.Cryptography;
using System.Text;

namespace Ariya.Api.Http;

/// <summary>HMAC-SHA256 over a list of fields, so that what is told apart or found again need not be held.</summary>
internal static class FieldMac
{
    public static byte[] Of(byte[] key, params ReadOnlySpan<byte[]?> fields)
    {
        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        foreach (var field in fields)
        {
            // Length first: ("ab", "c") and ("a", "bc") differ; -1 is a field that was not there.
            mac.AppendData(BitConverter.GetBytes(field?.Length ?? -1));
            mac.AppendData(field ?? []);
        }

        return mac.GetHashAndReset();
    }

    public static byte[] Of(byte[] key, params IEnumerable<string?> fields) =>
        Of(key, [.. fields.Select(field => field is null ? null : Encoding.UTF8.GetBytes(field))]);

    /// <summary>A short name for a key in Redis. 128 bits are enough to tell a million apart.</summary>
    public static string Name(byte[] key, params IEnumerable<string?> fields) => Convert.ToBase64String(Of(key, fields), 0, 16).TrimEnd('=');
}
