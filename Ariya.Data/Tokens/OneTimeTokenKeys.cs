using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Keys;

namespace Ariya.Data.Tokens;

/// <summary>
/// Derives mailed tokens: HMAC-SHA256 under a key of the purpose over the outbox row's salt, the message id, the subject
/// and the address. Neither the environment nor a copy of the database alone is enough to make one.
/// </summary>
public sealed class OneTimeTokenKeys(SecretKeys secrets)
{
    /// <summary>Length of a token in a link: 32 bytes in base64url.</summary>
    public const int TokenLength = 43;

    /// <summary>
    /// The secret to derive with: the one a token was first minted with, so that a resent mail carries the same link, unless it is no
    /// longer configured; for a new token the newest.
    /// </summary>
    public string KeyIdFor(string? mintedWith) =>
        mintedWith is not null && secrets.KeyIds.Contains(mintedWith) ? mintedWith : secrets.KeyIds[0];

    /// <summary>The token of a link, or null when the secret it was made with is no longer configured.</summary>
    public string? Link(string keyId, string purpose, ReadOnlySpan<byte> salt, Guid messageId, Guid subjectId, string address)
    {
        var mac = Mac(keyId, "link", purpose, salt, messageId, subjectId, address);
        return mac is null ? null : Base64Url.EncodeToString(mac);
    }

    /// <summary>
    /// The six digits beside a verification link, or null when the secret is no longer configured. They rest nowhere, not even
    /// as a hash, which a million tries would open: they are derived again when somebody types them.
    /// </summary>
    public string? Code(string keyId, string purpose, ReadOnlySpan<byte> salt, Guid messageId, Guid subjectId, string address)
    {
        var mac = Mac(keyId, "code", purpose, salt, messageId, subjectId, address);
        return mac is null ? null : (BinaryPrimitives.ReadUInt64BigEndian(mac) % 1_000_000).ToString("D6", CultureInfo.InvariantCulture);
    }

    /// <summary>What the database keeps of a token; null when the text cannot be a token.</summary>
    public static byte[]? Hash(string? token)
    {
        return token is { Length: TokenLength } && Base64Url.IsValid(token) ? SHA256.HashData(Encoding.ASCII.GetBytes(token)) : null;
    }

    private byte[]? Mac(
        string keyId, string form, string purpose, ReadOnlySpan<byte> salt, Guid messageId, Guid subjectId, string address)
    {
        var key = secrets.Find(keyId, $"one-time/{purpose}/{form}");
        if (key is null)
        {
            return null;
        }

        using var mac = IncrementalHash.CreateHMAC(HashAlgorithmName.SHA256, key);
        Append(mac, salt);
        Append(mac, messageId.ToByteArray(bigEndian: true));
        Append(mac, subjectId.ToByteArray(bigEndian: true));
        Append(mac, Encoding.UTF8.GetBytes(address));
        return mac.GetHashAndReset();
    }

    // Length first, so that no two lists of fields give the same bytes.
    private static void Append(IncrementalHash mac, ReadOnlySpan<byte> field)
    {
        Span<byte> length = stackalloc byte[4];
        BinaryPrimitives.WriteInt32BigEndian(length, field.Length);
        mac.AppendData(length);
        mac.AppendData(field);
    }
}
