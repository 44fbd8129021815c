using System.Runtime.InteropServices;

namespace Ariya.Chaos;

/// <summary>As Linux numbers them.</summary>
internal static class Signals
{
    public const int Kill = 9;
    public const int Terminate = 15;
    public const int Continue = 18;
    public const int Stop = 19;

    /// <exception cref="InvalidOperationException">There is no such process.</exception>
    public static void Send(int process, int signal)
    {
        if (kill(process, signal) != 0)
        {
            throw new InvalidOperationException($"Process {process} cannot be signalled.");
        }

        [DllImport("libc")]
        static extern int kill(int pid, int signal);
    }
}
