using System.Diagnostics;
using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// `postmaster.pid`, in which a server that was killed leaves its process id. PostgreSQL only asks whether that id is alive; by
/// now it may be any process, and the server would never start again.
/// </summary>
internal static class PostgresPidFile
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(100);
    private static readonly TimeSpan s_orphansEnd = TimeSpan.FromSeconds(5);

    public static async Task ClearAsync(string data, CancellationToken ct)
    {
        var file = Path.Combine(data, "postmaster.pid");
        // Where no command lines can be read (macOS) PostgreSQL has to decide.
        if (!File.Exists(file) || !Directory.Exists("/proc/self"))
        {
            return;
        }

        var line = File.ReadLines(file).FirstOrDefault() ?? "";
        if (!int.TryParse(line.Trim(), CultureInfo.InvariantCulture, out var id) || id < 1)
        {
            return;
        }

        if (IsServerOf(id, data))
        {
            throw InUse(data, id);
        }

        // The sessions of a killed server end by themselves, each when it next looks; a new server beside them would ruin the data.
        var waited = Stopwatch.StartNew();
        while (ProcessIn(data) is { } orphan)
        {
            if (waited.Elapsed > s_orphansEnd)
            {
                throw InUse(data, orphan);
            }

            await Task.Delay(s_interval, ct);
        }

        // A file that names nobody is PostgreSQL's own business: it looks for shared memory left over before it goes on.
        if (Directory.Exists($"/proc/{id}"))
        {
            File.Delete(file);
        }
    }

    private static bool IsServerOf(int processId, string data)
    {
        var command = Posix.CommandLineOf(processId);
        return command.Length > 0
            && Path.GetFileName(command[0]).StartsWith("postgres", StringComparison.Ordinal)
            && command.Any(argument => argument.TrimEnd('/') == data.TrimEnd('/'));
    }

    /// <summary>Every process of a PostgreSQL server has the data folder as its working directory.</summary>
    private static int? ProcessIn(string data)
    {
        foreach (var process in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out var id)
                    && new FileInfo(Path.Combine(process, "cwd")).LinkTarget == data)
                {
                    return id;
                }
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // It has ended, or is another user's.
            }
        }

        return null;
    }

    private static InvalidOperationException InUse(string data, int processId) => new InvalidOperationException(
        $"{data} is in use by another PostgreSQL server, process {processId}: is this checkout running already?");
}
