using System.Runtime.InteropServices;

namespace Ariya.Data.Passwords;

/// <summary>
/// Argon2id (RFC 9106) through the system's libargon2: one blocking call into pinned buffers whose lengths are passed
/// along; the text form is made in managed code, so no foreign length is ever trusted.
/// </summary>
internal static partial class Argon2
{
    public const int HashLength = 32;

    private static readonly Lazy<bool> s_isAvailable = new(SelfTest);

    /// <summary>Whether the library is there and computes a known hash right.</summary>
    public static bool IsAvailable => s_isAvailable.Value;

    /// <exception cref="InvalidOperationException">The library refused, for one because memory is short.</exception>
    public static unsafe byte[] Hash(ReadOnlySpan<byte> password, ReadOnlySpan<byte> salt, int memoryKiB, int iterations, int lanes)
    {
        var hash = new byte[HashLength];
        int code;
        fixed (byte* passwordStart = password, saltStart = salt, hashStart = hash)
        {
            code = argon2id_hash_raw((uint)iterations, (uint)memoryKiB, (uint)lanes,
                passwordStart, (nuint)password.Length, saltStart, (nuint)salt.Length, hashStart, HashLength);
        }

        return code == 0 ? hash : throw new InvalidOperationException($"libargon2 answered {code}.");
    }

    // The vector of libargon2's own test suite.
    private static bool SelfTest()
    {
        try
        {
            return Convert.ToHexStringLower(Hash("password"u8, "somesalt"u8, 256, 2, 1))
                == "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe";
        }
        catch (Exception exception) when (exception is DllNotFoundException or EntryPointNotFoundException)
        {
            return false;
        }
    }

    [LibraryImport("libargon2.so.1")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial int argon2id_hash_raw(uint iterations, uint memoryKiB, uint lanes,
        byte* password, nuint passwordLength, byte* salt, nuint saltLength, byte* hash, nuint hashLength);
}
