using System.Diagnostics;
using System.Globalization;

namespace Ariya.Chaos;

/// <summary>The processes of the application, found where Linux lists them: the host does not tell their ids.</summary>
internal static class Processes
{
    /// <summary>A variable that says in a process's environment which resource it is.</summary>
    public const string Mark = "CHAOS_RESOURCE";

    /// <summary>A child of this process; servers have an environment of their own, and a folder with the resource's name.</summary>
    public static int Of(string name) => Directory.EnumerateDirectories("/proc")
        .Select(folder => int.TryParse(Path.GetFileName(folder), NumberStyles.None, CultureInfo.InvariantCulture, out var id) ? id : 0)
        .FirstOrDefault(id => id != 0 && IsOf(id, name)) is > 0 and var found
            ? found
            : throw new InvalidOperationException($"{name} has no process, and nobody ended it.");

    public static Holdings Holding(string name)
    {
        var folder = $"/proc/{Of(name)}";
        // The second number of statm: pages in memory.
        var pages = long.Parse(File.ReadAllText($"{folder}/statm").Split(' ')[1], CultureInfo.InvariantCulture);
        return new Holdings(pages * Environment.SystemPageSize / 1024.0 / 1024.0, Directory.GetFileSystemEntries($"{folder}/fd").Length);
    }

    /// <summary>A command of the worker, with everything that the worker itself was started with.</summary>
    public static async Task<(int ExitCode, string Output)> WorkerAsync(string command)
    {
        var folder = $"/proc/{Of("worker")}";
        var arguments = (await File.ReadAllTextAsync($"{folder}/cmdline")).Split('\0', StringSplitOptions.RemoveEmptyEntries);
        var start = new ProcessStartInfo(arguments[0], [.. arguments[1..], command]) { RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        foreach (var variable in (await File.ReadAllTextAsync($"{folder}/environ")).Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            var pair = variable.Split('=', 2);
            start.Environment[pair[0]] = pair[1];
        }

        using var process = Process.Start(start)!;
        var output = await Task.WhenAll(process.StandardOutput.ReadToEndAsync(), process.StandardError.ReadToEndAsync());
        await process.WaitForExitAsync();
        return (process.ExitCode, string.Join('\n', output).Trim());
    }

    private static bool IsOf(int id, string name)
    {
        try
        {
            // "pid (name) state parent …"
            var stat = File.ReadAllText($"/proc/{id}/stat");
            var parent = int.Parse(stat[(stat.LastIndexOf(')') + 4)..].Split(' ')[0], CultureInfo.InvariantCulture);
            return parent == Environment.ProcessId
                && (File.ReadAllText($"/proc/{id}/environ").Split('\0').Contains($"{Mark}={name}")
                    || Path.GetFileName(File.ResolveLinkTarget($"/proc/{id}/cwd", returnFinalTarget: false)?.FullName) == name);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // It has ended meanwhile, or is somebody else's.
            return false;
        }
    }
}
