using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>The worker's own program, to be stopped, paused and killed.</summary>
internal sealed class WorkerProcess : IAsyncDisposable
{
    private const int Stop = 19;
    private const int Continue = 18;
    private const int Terminate = 15;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();

    private WorkerProcess(Process process)
    {
        _process = process;
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public string Output => string.Join('\n', _output);

    public int ExitCode => _process.ExitCode;

    public static WorkerProcess Start(string connection, int relayPort, params (string Name, string Value)[] settings) =>
        Run([], [("SMTP_HOST", "127.0.0.1"), ("SMTP_PORT", relayPort.ToString(CultureInfo.InvariantCulture)), .. settings], connection);

    /// <summary>A one-shot command, to its end.</summary>
    public static async Task<WorkerProcess> CommandAsync(
        string connection, string[] arguments, string? input = null, params (string Name, string Value)[] settings)
    {
        var worker = Run(arguments, settings, connection);
        if (input is not null)
        {
            await worker._process.StandardInput.WriteLineAsync(input);
        }

        worker._process.StandardInput.Close();
        await worker.EndAsync();
        return worker;
    }

    public void Kill() => _process.Kill();

    public void Pause() => Signal(Stop);

    public void GoOn() => Signal(Continue);

    public void Ask() => Signal(Terminate);

    public async Task EndAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromSeconds(60));
        await _process.WaitForExitAsync(timeout.Token);
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }

    private static WorkerProcess Run(string[] arguments, (string Name, string Value)[] settings, string connection)
    {
        // Its own output folder: the copy beside the tests lacks what the tests' framework brings.
        var folder = AppContext.BaseDirectory.Replace($"{Path.DirectorySeparatorChar}Ariya.Tests{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}Ariya.Worker{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        var start = new ProcessStartInfo("dotnet", ["exec", Path.Combine(folder, "Ariya.Worker.dll"), .. arguments])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment["ConnectionStrings__ariyadb"] = connection;
        start.Environment["JWT_SECRET"] = "a secret of the tests, 32 characters and more";
        start.Environment["APP_URL"] = "https://accounts.example.com";
        start.Environment["DOTNET_ENVIRONMENT"] = "Production";
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        return new WorkerProcess(Process.Start(start)!);
    }

    private void Signal(int signal)
    {
        Assert.Equal(0, kill(_process.Id, signal));

        [DllImport("libc")]
        static extern int kill(int pid, int signal);
    }
}
