using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Ariya.Hosting.Local.Processes;
using Ariya.Tests.Contract;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Programs;

/// <summary>The API's own program, to be signalled and read.</summary>
internal sealed class ApiProcess : IAsyncDisposable
{
    private const int Terminate = 15;

    private readonly Process _process;
    private readonly ConcurrentQueue<string> _output = new();

    private ApiProcess(Process process, int port)
    {
        _process = process;
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = new Uri($"http://127.0.0.1:{port}") };
        process.OutputDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.ErrorDataReceived += (_, line) => _output.Enqueue(line.Data ?? "");
        process.BeginOutputReadLine();
        process.BeginErrorReadLine();
    }

    public HttpClient Client { get; }

    public string Output => string.Join('\n', _output);

    public int ExitCode => _process.ExitCode;

    public static ApiProcess Start(string database, string redis, params (string Name, string Value)[] settings)
    {
        var port = Ports.Pick();
        // Its own output folder: the copy beside the tests lacks what the tests' framework brings.
        var folder = AppContext.BaseDirectory.Replace($"{Path.DirectorySeparatorChar}Ariya.Tests{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}Ariya.Api{Path.DirectorySeparatorChar}", StringComparison.Ordinal);
        var start = new ProcessStartInfo(Executables.Dotnet, ["exec", Path.Combine(folder, "Ariya.Api.dll")])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            WorkingDirectory = Path.GetTempPath(),
        };
        (string, string)[] all =
        [
            ("ASPNETCORE_ENVIRONMENT", "Production"), ("ASPNETCORE_URLS", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")),
            ("ConnectionStrings__ariyadb", database), ("ConnectionStrings__cache", redis), ("JWT_SECRET", ApiHost.JwtSecret),
            ("JWT_REFRESH_SECRET", ApiHost.JwtRefreshSecret), ("APP_URL", "https://accounts.example.com"), .. settings,
        ];
        foreach (var (name, value) in all)
        {
            start.Environment[name] = value;
        }

        return new ApiProcess(Process.Start(start)!, port);
    }

    public Task ReadyAsync() => Wait.UntilAsync("a ready instance", TimeSpan.FromSeconds(30), async () =>
    {
        Assert.False(_process.HasExited, Output);
        try
        {
            using var answer = await Client.GetAsync(new Uri("/health", UriKind.Relative));
            return answer.IsSuccessStatusCode ? "" : null;
        }
        catch (HttpRequestException)
        {
            return null;
        }
    });

    public void Ask()
    {
        Assert.Equal(0, kill(_process.Id, Terminate));

        [DllImport("libc")]
        static extern int kill(int pid, int signal);
    }

    public async Task EndAsync(TimeSpan within)
    {
        using var timeout = new CancellationTokenSource(within);
        await _process.WaitForExitAsync(timeout.Token);
    }

    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
    }
}
