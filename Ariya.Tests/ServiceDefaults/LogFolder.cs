using System.Diagnostics;
using System.Text.Json.Nodes;

namespace Ariya.Tests.ServiceDefaults;

/// <summary>A directory for log files, and what stands in them.</summary>
internal class LogFolder : IAsyncDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ariya-logs-").FullName;

    /// <summary>Where a program writes; not there before it does.</summary>
    public virtual string Logs => System.IO.Path.Combine(Path, "logs");

    /// <summary>The lines of one file. Every one is JSON, or this fails; one that is being written is not there yet.</summary>
    public List<JsonObject> Lines(string name)
    {
        var text = Text(name);
        return [.. text[..(text.LastIndexOf('\n') + 1)].Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => (JsonObject)JsonNode.Parse(line)!)];
    }

    /// <summary>The lines of a file and those that were moved aside.</summary>
    public List<JsonObject> AllLines(string name) => [.. Directory.GetFiles(Logs, $"{name}*.log").SelectMany(path => Lines(System.IO.Path.GetFileName(path)))];

    public string Text(string name)
    {
        try
        {
            using var file = new FileStream(System.IO.Path.Combine(Logs, name), FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
            using var reader = new StreamReader(file);
            return reader.ReadToEnd();
        }
        catch (Exception exception) when (exception is FileNotFoundException or DirectoryNotFoundException)
        {
            // Not yet, or just moved aside.
            return "";
        }
    }

    public virtual async ValueTask DisposeAsync()
    {
        await Task.CompletedTask;
        Directory.Delete(Path, recursive: true);
    }
}

/// <summary>
/// A volume without room for log files, until it gets some: a small one of its own that is full, or, where a test may not mount one, the
/// device that is always full in the place of each file.
/// </summary>
internal sealed class FullVolume : LogFolder
{
    private static readonly string[] s_names = ["combined.log", "error.log", "http.log"];

    private readonly bool _isMounted;

    public FullVolume()
    {
        Directory.CreateDirectory(Logs);
        _isMounted = Run("mount", "-t", "tmpfs", "-o", "size=512k", "none", Logs);
        if (_isMounted)
        {
            using var filler = File.Create(Filler);
            Assert.Throws<IOException>(() => filler.Write(new byte[1024 * 1024]));
        }
        else
        {
            foreach (var name in s_names)
            {
                File.CreateSymbolicLink(System.IO.Path.Combine(Logs, name), "/dev/full");
            }
        }
    }

    public string Kind => _isMounted ? "a tmpfs of 512 KB" : "/dev/full";

    private string Filler => System.IO.Path.Combine(Logs, "filler");

    /// <summary>There is room from now on.</summary>
    public void Free()
    {
        foreach (var path in _isMounted ? [Filler] : s_names.Select(name => System.IO.Path.Combine(Logs, name)))
        {
            File.Delete(path);
        }
    }

    public override async ValueTask DisposeAsync()
    {
        if (_isMounted)
        {
            Assert.True(Run("umount", "-l", Logs));
        }

        await base.DisposeAsync();
    }

    private static bool Run(string program, params string[] arguments)
    {
        try
        {
            using var process = Process.Start(new ProcessStartInfo(program, arguments) { RedirectStandardError = true })!;
            process.WaitForExit();
            return process.ExitCode == 0;
        }
        catch (System.ComponentModel.Win32Exception)
        {
            return false;
        }
    }
}
