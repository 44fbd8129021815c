using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Ariya.Data.Keys;

/// <summary>
/// Seals the private half of signing keys: AES-256-GCM under a key from <see cref="SecretKeys"/> and the row's salt.
/// </summary>
public static class SigningKeySeal
{
    public const string Algorithm = "ES256";

    private const int NonceLength = 12;
    private const int TagLength = 16;
    private const string RowMacLabel = "signing-key-row";
    private const string SealLabel = "signing-key-seal";

    /// <summary>A new key, sealed with the newest secret.</summary>
    /// <param name="secrets">Keys of this deployment.</param>
    /// <param name="signsFrom">From the database's clock.</param>
    public static SigningKey Create(SecretKeys secrets, DateTimeOffset signsFrom)
    {
        using var key = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var point = key.ExportParameters(includePrivateParameters: false).Q;
        var x = Base64Url.EncodeToString(point.X);
        var y = Base64Url.EncodeToString(point.Y);
        var kid = Thumbprint(x, y);
        var salt = RandomNumberGenerator.GetBytes(16);
        var plain = key.ExportPkcs8PrivateKey();
        try
        {
            var row = new SigningKey
            {
                Kid = kid,
                Algorithm = Algorithm,
                X = x,
                Y = y,
                SealSalt = salt,
                SealedPrivateKey = Seal(plain, SealingKey(secrets.Current(SealLabel), salt), AssociatedData(kid, signsFrom)),
                SignsFrom = signsFrom,
                RowMac = [],
            };
            row.RowMac = RowMac(row, secrets.Current(RowMacLabel));
            return row;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    /// <summary>Whether a row is as this deployment wrote it.</summary>
    public static bool IsGenuine(SigningKey row, SecretKeys secrets) => SealerOf(row, secrets) is not null;

    /// <summary>
    /// The key of a row, or null when no configured secret sealed it or the row is not as it was written. The caller
    /// disposes it.
    /// </summary>
    public static ECDsa? Open(SigningKey row, SecretKeys secrets)
    {
        if (SealerOf(row, secrets) is not { } keyId)
        {
            return null;
        }

        var plain = Unseal(
            row.SealedPrivateKey, SealingKey(secrets.Find(keyId, SealLabel)!, row.SealSalt), AssociatedData(row.Kid, row.SignsFrom));
        try
        {
            var key = ECDsa.Create();
            key.ImportPkcs8PrivateKey(plain, out _);
            return key;
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    /// <summary>Seals an opened key anew with the newest secret.</summary>
    /// <param name="row">The row, changed in place.</param>
    /// <param name="key">Its key, as <see cref="Open"/> answered it.</param>
    /// <param name="secrets">Keys of this deployment.</param>
    public static void Reseal(SigningKey row, ECDsa key, SecretKeys secrets)
    {
        var plain = key.ExportPkcs8PrivateKey();
        try
        {
            row.SealSalt = RandomNumberGenerator.GetBytes(16);
            row.SealedPrivateKey = Seal(plain, SealingKey(secrets.Current(SealLabel), row.SealSalt), AssociatedData(row.Kid, row.SignsFrom));
            row.RowMac = RowMac(row, secrets.Current(RowMacLabel));
        }
        finally
        {
            CryptographicOperations.ZeroMemory(plain);
        }
    }

    /// <summary>Ends a key's signing; it stays published until its last token is dead.</summary>
    /// <param name="row">A row sealed with the newest secret, changed in place.</param>
    /// <param name="at">From the database's clock, in its microseconds.</param>
    /// <param name="secrets">Keys of this deployment.</param>
    public static void Retire(SigningKey row, DateTimeOffset at, SecretKeys secrets)
    {
        row.RetiredAt = at;
        row.RowMac = RowMac(row, secrets.Current(RowMacLabel));
    }

    /// <summary>Which secret a genuine row was sealed with; null for any other row.</summary>
    internal static string? SealerOf(SigningKey row, SecretKeys secrets) =>
        row.Algorithm == Algorithm && row.Kid == Thumbprint(row.X, row.Y)
            ? secrets.KeyIds.FirstOrDefault(keyId =>
                CryptographicOperations.FixedTimeEquals(RowMac(row, secrets.Find(keyId, RowMacLabel)!), row.RowMac))
            : null;

    // RFC 7638 section 3.2: the required members in lexical order, without white space.
    private static string Thumbprint(string x, string y) =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{x}}","y":"{{y}}"}""")));

    private static byte[] AssociatedData(string kid, DateTimeOffset signsFrom) =>
        Encoding.UTF8.GetBytes($"{Algorithm}|{kid}|{signsFrom.UtcTicks}");

    private static byte[] RowMac(SigningKey row, byte[] key) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(
        $"{row.Kid}|{row.Algorithm}|{row.X}|{row.Y}|{row.SignsFrom.UtcTicks}|{row.RetiredAt?.UtcTicks}|{Convert.ToBase64String(row.SealSalt)}|{Convert.ToBase64String(row.SealedPrivateKey)}"));

    private static byte[] Seal(byte[] plain, byte[] key, byte[] associatedData)
    {
        var box = new byte[NonceLength + plain.Length + TagLength];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceLength));
        using var aes = new AesGcm(key, TagLength);
        aes.Encrypt(box.AsSpan(0, NonceLength), plain, box.AsSpan(NonceLength, plain.Length), box.AsSpan(^TagLength), associatedData);
        return box;
    }

    private static byte[] Unseal(byte[] box, byte[] key, byte[] associatedData)
    {
        var plain = new byte[box.Length - NonceLength - TagLength];
        using var aes = new AesGcm(key, TagLength);
        aes.Decrypt(box.AsSpan(0, NonceLength), box.AsSpan(NonceLength, plain.Length), box.AsSpan(^TagLength), plain, associatedData);
        return plain;
    }

    private static byte[] SealingKey(byte[] key, byte[] salt) => HKDF.DeriveKey(HashAlgorithmName.SHA256, key, 32, salt);
}
