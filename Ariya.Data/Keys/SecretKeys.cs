using System.Security.Cryptography;
using System.Text;

namespace Ariya.Data.Keys;

/// <summary>
/// Keys derived from JWT_SECRET and the secrets before it: each secret is stretched once (PBKDF2-HMAC-SHA512), then HKDF-SHA256
/// (RFC 5869) makes a key per use. The stretching makes a guess against a copied database as dear as one against a password.
/// The first secret makes new things; the others only open what they made.
/// </summary>
public sealed class SecretKeys
{
    private const int StretchRounds = 220_000;
    private const string LabelPrefix = "ariya/v1/";

    // A seventh of a second each: meanwhile the program goes on starting, and whoever needs a key first waits.
    private readonly Task<Stretched> _stretched;

    /// <param name="secrets">JWT_SECRET first, then JWT_SECRET_PREVIOUS.</param>
    public SecretKeys(IReadOnlyList<string> secrets)
    {
        ArgumentOutOfRangeException.ThrowIfZero(secrets.Count);
        _stretched = Task.Run(() => StretchAll(secrets));
    }

    /// <summary>Ids of the secrets, the newest first; they tell nothing about the secret.</summary>
    public IReadOnlyList<string> KeyIds => Secrets.KeyIds;

    private Stretched Secrets => _stretched.GetAwaiter().GetResult();

    /// <summary>The 32-byte key of a use under the newest secret.</summary>
    public byte[] Current(string label) => Derive(Secrets.ByKeyId[KeyIds[0]], label, 32);

    /// <summary>The 32-byte key of a use under a named secret; null when that secret is no longer configured.</summary>
    public byte[]? Find(string keyId, string label) =>
        Secrets.ByKeyId.TryGetValue(keyId, out var secret) ? Derive(secret, label, 32) : null;

    private static Stretched StretchAll(IReadOnlyList<string> secrets)
    {
        var stretched = secrets.Select(Stretch).ToList();
        List<string> ids = [.. stretched.Select(secret => Convert.ToHexStringLower(Derive(secret, "key-id", 4)))];
        return new Stretched(ids, ids.Zip(stretched).DistinctBy(pair => pair.First).ToDictionary());
    }

    private static byte[] Stretch(string secret) => Rfc2898DeriveBytes.Pbkdf2(
        Encoding.UTF8.GetBytes(secret), "ariya/v1/stretch"u8, StretchRounds, HashAlgorithmName.SHA512, 32);

    private static byte[] Derive(byte[] secret, string label, int length) =>
        HKDF.DeriveKey(HashAlgorithmName.SHA256, secret, length, salt: null, info: Encoding.ASCII.GetBytes(LabelPrefix + label));

    private sealed record Stretched(IReadOnlyList<string> KeyIds, Dictionary<string, byte[]> ByKeyId);
}
