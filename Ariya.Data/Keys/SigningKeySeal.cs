using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;

namespace Ariya.Data.Keys;

/// <summary>
/// Seals the private half of signing keys: AES-256-GCM under PBKDF2-HMAC-SHA512 of JWT_SECRET with the row's salt. The
/// iterations make a guess against a copied table as dear as one against a password; HKDF alone would not.
/// </summary>
public static class SigningKeySeal
{
    public const string Algorithm = "ES256";

    private const int Iterations = 220_000;
    private const int NonceLength = 12;
    private const int TagLength = 16;
    private const string RowMacLabel = "signing-key-row";

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
                SealedPrivateKey = Seal(plain, secrets.Secrets[0], salt, AssociatedData(kid, signsFrom)),
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

    /// <summary>
    /// The key of a row, or null when no configured secret sealed it or the row is not as it was written. The caller
    /// disposes it.
    /// </summary>
    public static ECDsa? Open(SigningKey row, SecretKeys secrets)
    {
        var sealer = secrets.KeyIds.ToList().FindIndex(
            keyId => CryptographicOperations.FixedTimeEquals(RowMac(row, secrets.Find(keyId, RowMacLabel)!), row.RowMac));
        if (sealer < 0 || row.Algorithm != Algorithm || row.Kid != Thumbprint(row.X, row.Y))
        {
            return null;
        }

        var plain = Unseal(row.SealedPrivateKey, secrets.Secrets[sealer], row.SealSalt, AssociatedData(row.Kid, row.SignsFrom));
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

    // RFC 7638 section 3.2: the required members in lexical order, without white space.
    private static string Thumbprint(string x, string y) =>
        Base64Url.EncodeToString(SHA256.HashData(Encoding.UTF8.GetBytes($$"""{"crv":"P-256","kty":"EC","x":"{{x}}","y":"{{y}}"}""")));

    private static byte[] AssociatedData(string kid, DateTimeOffset signsFrom) =>
        Encoding.UTF8.GetBytes($"{Algorithm}|{kid}|{signsFrom.UtcTicks}");

    private static byte[] RowMac(SigningKey row, byte[] key) => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(
        $"{row.Kid}|{row.Algorithm}|{row.X}|{row.Y}|{row.SignsFrom.UtcTicks}|{row.RetiredAt?.UtcTicks}"));

    private static byte[] Seal(byte[] plain, string secret, byte[] salt, byte[] associatedData)
    {
        var box = new byte[NonceLength + plain.Length + TagLength];
        RandomNumberGenerator.Fill(box.AsSpan(0, NonceLength));
        using var aes = new AesGcm(SealingKey(secret, salt), TagLength);
        aes.Encrypt(box.AsSpan(0, NonceLength), plain, box.AsSpan(NonceLength, plain.Length), box.AsSpan(^TagLength), associatedData);
        return box;
    }

    private static byte[] Unseal(byte[] box, string secret, byte[] salt, byte[] associatedData)
    {
        var plain = new byte[box.Length - NonceLength - TagLength];
        using var aes = new AesGcm(SealingKey(secret, salt), TagLength);
        aes.Decrypt(box.AsSpan(0, NonceLength), box.AsSpan(NonceLength, plain.Length), box.AsSpan(^TagLength), plain, associatedData);
        return plain;
    }

    private static byte[] SealingKey(string secret, byte[] salt) =>
        Rfc2898DeriveBytes.Pbkdf2(Encoding.UTF8.GetBytes(secret), salt, Iterations, HashAlgorithmName.SHA512, 32);
}
