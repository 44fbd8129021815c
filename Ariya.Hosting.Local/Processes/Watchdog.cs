using System.Diagnostics;

namespace Ariya.Hosting.Local.Processes;

/// <summary>
/// A shell that knows the host's children and ends them when its standard input ends, which happens whatever killed the host.
/// It is the second of two means: the parent-death signal is the first, and each covers what the other misses.
/// </summary>
internal sealed class Watchdog(Process shell) : IDisposable
{
    private const string Script =
        """
        exec >/dev/null 2>&1
        trap '' INT TERM HUP
        live=
        while read -r what pid signal; do
          case $what in
            add) live="$live $pid:$signal" ;;
            del) rest=; for p in $live; do [ "${p%:*}" = "$pid" ] || rest="$rest $p"; done; live=$rest ;;
          esac
        done
        for p in $live; do kill -${p#*:} -${p%:*} || kill -${p#*:} ${p%:*}; done
        n=0
        while [ $n -lt 50 ]; do
          alive=
          for p in $live; do kill -0 -${p%:*} && alive=1; kill -0 ${p%:*} && alive=1; done
          [ -z "$alive" ] && exit 0
          sleep 0.1
          n=$((n+1))
        done
        for p in $live; do kill -KILL -${p%:*} || kill -KILL ${p%:*}; done
        """;

    private readonly Lock _lock = new();

    public static async Task<Watchdog> StartAsync(Launcher launcher)
    {
        // A session of its own: Ctrl+C and a closed terminal reach the host, not the watchdog.
        string[] command = [.. Executables.Find("setsid") is { } setsid ? [setsid] : (string[])[], "/bin/sh", "-c", Script];
        var info = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, WorkingDirectory = "/" };
        return new Watchdog(await launcher.StartAsync(info));
    }

    public void Add(int processId, StopSignal signal) => Write($"add {processId} {signal:D}");

    public void Remove(int processId) => Write($"del {processId} -");

    /// <summary>Closes the pipe: what is still registered is ended, as if the host had died.</summary>
    public void Dispose()
    {
        lock (_lock)
        {
            shell.StandardInput.Dispose();
            shell.Dispose();
        }
    }

    private void Write(string line)
    {
        lock (_lock)
        {
            try
            {
                shell.StandardInput.Write(line + "\n");
                shell.StandardInput.Flush();
            }
            catch (Exception exception) when (exception is IOException or ObjectDisposedException or InvalidOperationException)
            {
                // Somebody killed the shell, or the host is ending; the parent-death signal still holds.
            }
        }
    }
}
