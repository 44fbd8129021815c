using System.Diagnostics;
using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Tests.HostingLocal.Processes;

/// <summary><see cref="SmallHost"/> as a process, started by a command of the test's choice and killed at the latest with it.</summary>
internal sealed class SmallHostProcess : IDisposable
{
    private readonly Process _process;

    public SmallHostProcess(string[] arguments, string[]? launcher = null, string? pathPrefix = null)
    {
        string[] command = [.. launcher ?? [], Executables.Dotnet, "exec", typeof(SmallHost).Assembly.Location, .. arguments];
        var info = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        if (pathPrefix is not null)
        {
            info.Environment["PATH"] = $"{pathPrefix}:{Environment.GetEnvironmentVariable("PATH")}";
        }

        _process = Process.Start(info)!;
        _process.OutputDataReceived += (_, line) => Output.Add(line.Data);
        _process.ErrorDataReceived += (_, line) => Output.Add(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public Lines Output { get; } = new();

    public int Id => _process.Id;

    public async Task<int> NumberAfterAsync(string word)
    {
        var line = await Output.ContainingAsync(word + " ");
        return int.Parse(line[(word.Length + 1)..], CultureInfo.InvariantCulture);
    }

    public void Kill()
    {
        Posix.Signal(_process.Id, StopSignal.Kill);
    }

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
        }

        _process.Dispose();
    }

    /// <summary>A killed process stays in the table until its parent looks; it runs no more.</summary>
    public static bool IsRunning(int processId)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{processId}/stat");
            return stat[(stat.LastIndexOf(')') + 2)] is not ('Z' or 'X');
        }
        catch (IOException)
        {
            return false;
        }
    }
}
