using System.Collections.Concurrent;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Ariya.Data.Passwords;

/// <summary>
/// Argon2id (RFC 9106) through the system's libargon2: one blocking call into pinned buffers whose lengths are passed
/// along; the text form is made in managed code, so no foreign length is ever trusted. The 19 MiB of a hash are kept for the next one: asked
/// of malloc each time they are taken from whichever arena the thread has, and all arenas together held 700 MB after a while. The pages of
/// those that nobody uses are given back every two seconds.
/// </summary>
internal static partial class Argon2
{
    public const int HashLength = 32;

    // RFC 9106.
    private const uint Version13 = 0x13;

    // MADV_DONTNEED of Linux.
    private const int DontNeed = 4;

    // Not after each hash: to get the pages anew is a tenth of one.
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(2);

    // By length; at most as many as there are cores, as many as are hashed at once.
    private static readonly ConcurrentDictionary<nuint, ConcurrentStack<nint>> s_kept = [];
    private static readonly Timer s_givingBack = new(_ => GiveBack());
    private static int s_isToGiveBack;

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
            var context = new Context
            {
                Out = hashStart,
                OutLength = HashLength,
                Password = passwordStart,
                PasswordLength = (uint)password.Length,
                Salt = saltStart,
                SaltLength = (uint)salt.Length,
                Passes = (uint)iterations,
                MemoryKiB = (uint)memoryKiB,
                Lanes = (uint)lanes,
                Threads = (uint)lanes,
                Version = Version13,
                Allocate = &Allocate,
                Free = &Free,
            };
            code = argon2id_ctx(&context);
        }

        return code == 0 ? hash : throw new InvalidOperationException($"libargon2 answered {code}.");
    }

    // The library fails by itself when it gets none.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe int Allocate(byte** memory, nuint length)
    {
        try
        {
            *memory = s_kept.GetOrAdd(length, _ => []).TryPop(out var kept) ? (byte*)kept : (byte*)NativeMemory.AlignedAlloc(length, (nuint)Environment.SystemPageSize);
            return 0;
        }
        catch (OutOfMemoryException)
        {
            *memory = null;
            return -1;
        }
    }

    // The library has wiped it.
    [UnmanagedCallersOnly(CallConvs = [typeof(CallConvCdecl)])]
    private static unsafe void Free(byte* memory, nuint length)
    {
        Keep(s_kept.GetOrAdd(length, _ => []), (nint)memory);
        if (Interlocked.Exchange(ref s_isToGiveBack, 1) == 0)
        {
            s_givingBack.Change(s_pause, Timeout.InfiniteTimeSpan);
        }
    }

    private static unsafe void Keep(ConcurrentStack<nint> kept, nint memory)
    {
        if (kept.Count < Environment.ProcessorCount)
        {
            kept.Push(memory);
        }
        else
        {
            NativeMemory.AlignedFree((void*)memory);
        }
    }

    // The blocks stay; what they hold is nothing, and comes back as nothing when it is used again; those in use are not among them. Not freed: malloc keeps
    // what it has had back once.
    private static unsafe void GiveBack()
    {
        Volatile.Write(ref s_isToGiveBack, 0);
        foreach (var (length, kept) in s_kept)
        {
            var blocks = new nint[Environment.ProcessorCount];
            var count = kept.TryPopRange(blocks);
            foreach (var block in blocks.AsSpan(0, count))
            {
                // Whole pages only: the system would take what else stands in the last. It is advice: not taken, it costs memory and nothing else.
                _ = madvise((void*)block, length - (length % (nuint)Environment.SystemPageSize), DontNeed);
                // Hashes that came meanwhile may have filled the places.
                Keep(kept, block);
            }
        }
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
    private static unsafe partial int argon2id_ctx(Context* context);

    [LibraryImport("libc")]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static unsafe partial int madvise(void* memory, nuint length, int advice);

    // argon2_context of argon2.h.
    [StructLayout(LayoutKind.Sequential)]
    private unsafe struct Context
    {
        public byte* Out;
        public uint OutLength;
        public byte* Password;
        public uint PasswordLength;
        public byte* Salt;
        public uint SaltLength;
        public byte* Secret;
        public uint SecretLength;
        public byte* Data;
        public uint DataLength;
        public uint Passes;
        public uint MemoryKiB;
        public uint Lanes;
        public uint Threads;
        public uint Version;
        public delegate* unmanaged[Cdecl]<byte**, nuint, int> Allocate;
        public delegate* unmanaged[Cdecl]<byte*, nuint, void> Free;
        public uint Flags;
    }
}
