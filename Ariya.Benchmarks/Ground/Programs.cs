using System.Globalization;
using System.Net.Sockets;
using System.Reflection;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Benchmarks.Ground;

/// <summary>
/// The programs that are measured, as they are built: the product's own, the API with the cheapest hashing (compiled so, there is no such setting), and the peers.
/// </summary>
internal sealed class Programs
{
    public const string JwtSecret = "benchmarks-0123456789-abcdefghij-ABCDEFGHIJ";
    public const string JwtRefreshSecret = "benchmarks-9876543210-jihgfedcba-JIHGFEDCBA";
    private static readonly string s_checkout = typeof(Programs).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "checkoutdirectory").Value!;

    private readonly string _artifacts = Path.Combine(AppContext.BaseDirectory, "programs");

    public static string Checkout => s_checkout;

    /// <summary>With the product's own hashing.</summary>
    public string Api { get; } = Product("Ariya.Api");

    public string Worker { get; } = Product("Ariya.Worker");

    /// <summary>Hashing costs 8 KiB and one pass, so that the rest of a request is seen.</summary>
    public string ApiWithCheapHashes => Path.Combine(_artifacts, "cheap", "bin", "Ariya.Api", "release", "Ariya.Api.dll");

    public string Bare => Peer("Bare");

    public string Identity => Peer("Identity");

    public async Task BuildAsync()
    {
        Console.WriteLine("Building the API with cheap hashes, the bare endpoint and the peer …");
        await BuildAsync(Path.Combine(s_checkout, "Ariya.Api"), "cheap", "-p:CheapHashes=true");
        await BuildAsync(Path.Combine(s_checkout, "Ariya.Benchmarks", "Peers", "Bare"), "peers");
        await BuildAsync(Path.Combine(s_checkout, "Ariya.Benchmarks", "Peers", "Identity"), "peers");
    }

    private Task<string> BuildAsync(string project, string artifacts, params string[] properties) => Tool.RunAsync(
        "dotnet", ["build", project, "-c", "Release", "-v", "q", "--nologo", "--artifacts-path", Path.Combine(_artifacts, artifacts), .. properties],
        new Dictionary<string, string> { ["MSBUILDDISABLENODEREUSE"] = "1" });

    // Its own output folder, in the configuration that this program has.
    private static string Product(string name) => Path.Combine(
        AppContext.BaseDirectory.Replace($"{Path.DirectorySeparatorChar}Ariya.Benchmarks{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}{name}{Path.DirectorySeparatorChar}", StringComparison.Ordinal), $"{name}.dll");

    private string Peer(string name) => Path.Combine(_artifacts, "peers", "bin", name, "release", $"{name}.dll");
}

/// <summary>One program that runs, and how to talk to it.</summary>
internal sealed class RunningProgram : IAsyncDisposable
{
    // A deployment's limits refuse what a benchmark asks for; the report names what is off.
    private static readonly string[] s_limits = ["Auth", "AuthTotal", "Network", "NetworkDay", "Mail", "Address", "Refresh", "Api", "Upload"];
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(60);

    private readonly System.Diagnostics.Process _process;
    private readonly StringWriter _errors = new(CultureInfo.InvariantCulture);

    private RunningProgram(string program, int port, IEnumerable<(string Name, string Value)> settings)
    {
        Port = port;
        var start = new System.Diagnostics.ProcessStartInfo("dotnet", ["exec", program])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            RedirectStandardInput = true,
        };
        foreach (var (name, value) in settings)
        {
            start.Environment[name] = value;
        }

        _process = System.Diagnostics.Process.Start(start)!;
        // Read, so that nobody waits for a full pipe; only what may be an explanation is kept.
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, line) => _errors.WriteLine(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public int Port { get; }

    public int Id => _process.Id;

    /// <summary>In memory now, in MB.</summary>
    public double Megabytes
    {
        get
        {
            // The second number of statm: pages in memory.
            var pages = long.Parse(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{_process.Id}/statm")).Split(' ')[1], CultureInfo.InvariantCulture);
            return pages * Environment.SystemPageSize / 1024.0 / 1024.0;
        }
    }

    /// <summary>The API in Production without limits, ready.</summary>
    public static async Task<RunningProgram> ApiAsync(string program, Database database, string redis, params (string Name, string Value)[] settings)
    {
        var port = Ports.Pick();
        var running = new RunningProgram(program, port,
        [
            ("ASPNETCORE_ENVIRONMENT", "Production"), Urls(port), ("APP_URL", "https://accounts.example.com"),
            ("JWT_SECRET", Programs.JwtSecret), ("JWT_REFRESH_SECRET", Programs.JwtRefreshSecret),
            ("ConnectionStrings__ariyadb", database.Connection), ("ConnectionStrings__cache", redis),
            .. s_limits.Select(limit => ($"RateLimits__{limit}Permits", "0")), .. settings,
        ]);
        await running.AnswersAsync("/health");
        return running;
    }

    /// <summary>The worker in Production.</summary>
    public static RunningProgram Worker(string program, Database database, int relayPort, params (string Name, string Value)[] settings) => new(program, 0,
    [
        ("DOTNET_ENVIRONMENT", "Production"), ("APP_URL", "https://accounts.example.com"), ("JWT_SECRET", Programs.JwtSecret),
        ("ConnectionStrings__ariyadb", database.Connection), ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", relayPort.ToString(CultureInfo.InvariantCulture)), ("SMTP_FROM", "Ariya <no-reply@example.com>"), .. settings,
    ]);

    /// <summary>A peer that serves HTTP, once it answers.</summary>
    public static async Task<RunningProgram> PeerAsync(string program, string probe, params (string Name, string Value)[] settings)
    {
        var port = Ports.Pick();
        var running = new RunningProgram(program, port, [("ASPNETCORE_ENVIRONMENT", "Production"), Urls(port), .. settings]);
        await running.AnswersAsync(probe);
        return running;
    }

    public async ValueTask DisposeAsync()
    {
        if (!_process.HasExited)
        {
            _process.Kill();
            await _process.WaitForExitAsync();
        }

        _process.Dispose();
        await _errors.DisposeAsync();
    }

    /// <summary>Until it answers a request below 500.</summary>
    private async Task AnswersAsync(string path)
    {
        using var client = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{Port}")) };
        for (var started = System.Diagnostics.Stopwatch.StartNew(); ; await Task.Delay(1))
        {
            if (_process.HasExited || started.Elapsed > s_start)
            {
                await DisposeAsync();
                throw new InvalidOperationException($"A program did not start:\n{_errors}");
            }

            try
            {
                using var answer = await client.GetAsync(new Uri(path, UriKind.Relative));
                if ((int)answer.StatusCode < 500)
                {
                    return;
                }
            }
            catch (HttpRequestException exception) when (exception.InnerException is SocketException or IOException)
            {
                // Not yet.
            }
        }
    }

    private static (string Name, string Value) Urls(int port) => ("ASPNETCORE_URLS", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));
}
