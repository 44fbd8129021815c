using System.Runtime.InteropServices;

namespace Ariya.Hosting.Local.Processes;

/// <summary>What asks a process to end. PostgreSQL takes Terminate for "wait until every client has gone".</summary>
internal enum StopSignal
{
    Interrupt = 2,
    Quit = 3,
    Kill = 9,
    Terminate = 15,
}

internal static class Posix
{
    public static int ParentId => getppid();
    public static int EffectiveUserId => geteuid();

    /// <summary>Whether this user can read and write a file, and enter it when it is a folder.</summary>
    public static bool CanUse(string path) => access(path, Directory.Exists(path) ? 7 : 6) == 0;

    /// <summary>Signals every process of the group that <paramref name="leader"/> leads; false when there is none left.</summary>
    public static bool SignalGroup(int leader, StopSignal signal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(leader, 1);
        return kill(-leader, (int)signal) == 0;
    }

    public static bool Signal(int processId, StopSignal signal)
    {
        ArgumentOutOfRangeException.ThrowIfLessThanOrEqual(processId, 1);
        return kill(processId, (int)signal) == 0;
    }

    /// <summary>The arguments of a running process, empty when it is gone or not ours to read.</summary>
    public static string[] CommandLineOf(int processId)
    {
        try
        {
            return File.ReadAllText($"/proc/{processId}/cmdline").Split('\0', StringSplitOptions.RemoveEmptyEntries);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return [];
        }
    }

    [DllImport("libc", SetLastError = true)]
    private static extern int kill(int processId, int signal);

    [DllImport("libc", CharSet = CharSet.Ansi, BestFitMapping = false, ThrowOnUnmappableChar = true)]
    private static extern int access(string path, int mode);

    [DllImport("libc")]
    private static extern int getppid();

    [DllImport("libc")]
    private static extern int geteuid();
}
