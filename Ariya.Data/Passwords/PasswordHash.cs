using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Ariya.Data.Passwords;

/// <summary>
/// The stored form of a password: a PHC string that names its algorithm and parameters. The parameters are those of the
/// OWASP Password Storage Cheat Sheet: Argon2id with 19 MiB, 2 passes, 1 lane; or PBKDF2-HMAC-SHA512 with 220,000 rounds.
/// </summary>
public static class PasswordHash
{
    public const string Argon2id = "argon2id";
    public const string Pbkdf2 = "pbkdf2-sha512";

    private const int SaltLength = 16;
    private const int Pbkdf2HashLength = 32;
#if CHEAP_HASHES
    private const int Argon2MemoryKiB = 8;
    private const int Argon2Passes = 1;
#else
    private const int Argon2MemoryKiB = 19_456;
    private const int Argon2Passes = 2;
#endif
    private const int Pbkdf2Rounds = 220_000;

    // A row must not make a process allocate what it likes: what is stored is bounded before it is computed.
    private const int MaxArgon2MemoryKiB = 1 << 20;
    private const int MaxArgon2Passes = 64;
    private const int MaxPbkdf2Rounds = 10_000_000;

    /// <summary>Whether this machine can compute an algorithm.</summary>
    public static bool CanCompute(string algorithm) => algorithm switch
    {
        Argon2id => Argon2.IsAvailable,
        Pbkdf2 => true,
        _ => false,
    };

    /// <summary>Hashes a password with a new salt. Takes tens of milliseconds of one core.</summary>
    public static string Create(string algorithm, string password)
    {
        RequireComputable(algorithm);
        var salt = RandomNumberGenerator.GetBytes(SaltLength);
        return algorithm switch
        {
            Argon2id => $"${Argon2id}$v=19$m={Argon2MemoryKiB},t={Argon2Passes},p=1${Encode(salt)}$"
                + Encode(Argon2Hash(password, salt, Argon2MemoryKiB, Argon2Passes, 1)),
            Pbkdf2 => $"${Pbkdf2}$i={Pbkdf2Rounds}${Encode(salt)}${Encode(Pbkdf2Hash(password, salt, Pbkdf2Rounds))}",
            _ => throw new ArgumentOutOfRangeException(nameof(algorithm), algorithm, "Unknown password algorithm."),
        };
    }

    /// <summary>Computes the stored hash again and compares in constant time.</summary>
    /// <exception cref="PlatformNotSupportedException">This machine cannot compute the hash: an outage, never a wrong password.</exception>
    /// <exception cref="FormatException">The stored text is not a hash this program makes: an error, never a wrong password.</exception>
    public static bool Verify(string stored, string password)
    {
        if (!TryParse(stored, out var parsed))
        {
            throw new FormatException("A stored password hash cannot be read.");
        }

        RequireComputable(parsed.Algorithm);
        var computed = parsed.Algorithm == Argon2id
            ? Argon2Hash(password, parsed.Salt, parsed.MemoryKiB, parsed.Rounds, 1)
            : Pbkdf2Hash(password, parsed.Salt, parsed.Rounds);
        return CryptographicOperations.FixedTimeEquals(computed, parsed.Hash);
    }

    /// <summary>Whether a stored hash is weaker than, or of another algorithm than, a new one would be.</summary>
    public static bool NeedsRehash(string stored, string algorithm)
    {
        return !TryParse(stored, out var parsed)
            || parsed.Algorithm != algorithm
            || parsed.Rounds < (algorithm == Argon2id ? Argon2Passes : Pbkdf2Rounds)
            || (algorithm == Argon2id && parsed.MemoryKiB < Argon2MemoryKiB);
    }

    private static void RequireComputable(string algorithm)
    {
        if (!CanCompute(algorithm))
        {
            throw new PlatformNotSupportedException(
                $"This machine cannot compute '{algorithm}', with which passwords are hashed. Install the package libargon2-1 (Debian, Ubuntu), argon2-libs (Alpine) or libargon2 (Fedora).");
        }
    }

    // $argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>   or   $pbkdf2-sha512$i=220000$<salt>$<hash>
    private static bool TryParse(string stored, [NotNullWhen(true)] out Parsed? parsed)
    {
        parsed = stored.Split('$') switch
        {
            ["", Argon2id, "v=19", var parameters, var salt, var hash]
                when parameters.Split(',') is [['m', '=', .. var memory], ['t', '=', .. var passes], "p=1"]
                => Read(Argon2id, Number(memory, MaxArgon2MemoryKiB), Number(passes, MaxArgon2Passes), salt, hash),
            ["", Pbkdf2, ['i', '=', .. var rounds], var salt, var hash]
                => Read(Pbkdf2, 1, Number(rounds, MaxPbkdf2Rounds), salt, hash),
            _ => null,
        };
        return parsed is not null;
    }

    private static Parsed? Read(string algorithm, int memoryKiB, int rounds, string salt, string hash)
    {
        var saltBytes = Decode(salt);
        var hashBytes = Decode(hash);
        return memoryKiB > 0 && rounds > 0 && saltBytes.Length >= 8 && hashBytes.Length == 32
            ? new Parsed(algorithm, memoryKiB, rounds, saltBytes, hashBytes)
            : null;
    }

    private static int Number(string text, int maximum) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) && number <= maximum ? number : 0;

    private static byte[] Argon2Hash(string password, byte[] salt, int memoryKiB, int passes, int lanes) =>
        WithBytes(password, bytes => Argon2.Hash(bytes, salt, memoryKiB, passes, lanes));

    private static byte[] Pbkdf2Hash(string password, byte[] salt, int rounds) =>
        WithBytes(password, bytes => Rfc2898DeriveBytes.Pbkdf2(bytes, salt, rounds, HashAlgorithmName.SHA512, Pbkdf2HashLength));

    // NFC at setting and at checking (NIST SP 800-63B-4 section 3.1.1.2), so that one keyboard's é is another's.
    private static byte[] WithBytes(string password, Func<byte[], byte[]> hash)
    {
        var bytes = Encoding.UTF8.GetBytes(password.Normalize(NormalizationForm.FormC));
        try
        {
            return hash(bytes);
        }
        finally
        {
            CryptographicOperations.ZeroMemory(bytes);
        }
    }

    // PHC strings use base64 without padding.
    private static string Encode(byte[] bytes) => Convert.ToBase64String(bytes).TrimEnd('=');

    private static byte[] Decode(string text)
    {
        var padded = text.PadRight((text.Length + 3) / 4 * 4, '=');
        var bytes = new byte[padded.Length];
        return Convert.TryFromBase64String(padded, bytes, out var length) ? bytes[..length] : [];
    }

    private sealed record Parsed(string Algorithm, int MemoryKiB, int Rounds, byte[] Salt, byte[] Hash);
}
