using System.Collections;
using System.Globalization;
using System.Reflection;
using Ariya.Api.Limits;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Benchmarks.Ground;

/// <summary>
/// The programs that are measured: the product's own, the API with the cheapest hashing (compiled so, there is no such setting), and the peers. None of them
/// outlives this one.
/// </summary>
internal sealed class Programs : IAsyncDisposable
{
    public const string JwtSecret = "benchmarks-0123456789-abcdefghij-ABCDEFGHIJ";
    public const string JwtRefreshSecret = "benchmarks-9876543210-jihgfedcba-JIHGFEDCBA";
    private static readonly string s_checkout = typeof(Programs).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .Single(attribute => attribute.Key == "checkoutdirectory").Value!;

    // A deployment's limits refuse what a benchmark asks for; the report says that they are off.
    private static readonly (string Name, string Value)[] s_noLimits = [.. typeof(RateLimitOptions).GetProperties()
        .Where(property => property.Name.EndsWith("Permits", StringComparison.Ordinal)).Select(property => ($"RateLimits__{property.Name}", "0"))];

    private readonly ChildProcesses _children = new();
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

    /// <summary>The API in Production without limits, ready.</summary>
    public async Task<RunningProgram> StartApiAsync(string program, Database database, string redis, params (string Name, string Value)[] settings)
    {
        var port = Ports.Pick();
        return await (await StartDotnetAsync(program, port,
        [
            ("ASPNETCORE_ENVIRONMENT", "Production"), Urls(port), ("APP_URL", "https://accounts.example.com"), ("JWT_SECRET", JwtSecret),
            ("JWT_REFRESH_SECRET", JwtRefreshSecret), ("ConnectionStrings__ariyadb", database.Connection), ("ConnectionStrings__cache", redis),
            .. s_noLimits, .. settings,
        ])).AnswersAsync("/health");
    }

    /// <summary>The worker in Production.</summary>
    public Task<RunningProgram> StartWorkerAsync(Database database, int relayPort, params (string Name, string Value)[] settings) => StartDotnetAsync(Worker, 0,
    [
        ("DOTNET_ENVIRONMENT", "Production"), ("APP_URL", "https://accounts.example.com"), ("JWT_SECRET", JwtSecret),
        ("ConnectionStrings__ariyadb", database.Connection), ("SMTP_HOST", "127.0.0.1"),
        ("SMTP_PORT", relayPort.ToString(CultureInfo.InvariantCulture)), ("SMTP_FROM", "Ariya <no-reply@example.com>"), .. settings,
    ]);

    /// <summary>A peer that serves HTTP, once it answers.</summary>
    public async Task<RunningProgram> StartPeerAsync(string program, string probe, params (string Name, string Value)[] settings)
    {
        var port = Ports.Pick();
        return await (await StartDotnetAsync(program, port, [("ASPNETCORE_ENVIRONMENT", "Production"), Urls(port), .. settings])).AnswersAsync(probe);
    }

    /// <summary>Any program, with this one's environment beside its settings.</summary>
    public async Task<RunningProgram> StartAsync(string program, IReadOnlyList<string> arguments, string folder, int port, params (string Name, string Value)[] settings)
    {
        var environment = Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(variable => (string)variable.Key, variable => (string)variable.Value!);
        foreach (var (name, value) in settings)
        {
            environment[name] = value;
        }

        var lines = new LastLines();
        var child = await _children.StartAsync(
            new ChildProcessStart
            {
                FileName = program,
                Arguments = arguments,
                WorkingDirectory = folder,
                Environment = environment,
                // What it does at its end is not measured, and nothing of it is needed.
                StopSignal = StopSignal.Kill,
                OnLine = (line, _) => lines.Add(line),
            },
            CancellationToken.None);
        return new RunningProgram(child, lines, port);
    }

    public ValueTask DisposeAsync() => _children.DisposeAsync();

    private Task<RunningProgram> StartDotnetAsync(string program, int port, (string Name, string Value)[] settings) =>
        StartAsync(Executables.Dotnet, ["exec", program], Path.GetDirectoryName(program)!, port, settings);

    private static (string Name, string Value) Urls(int port) => ("ASPNETCORE_URLS", string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}"));

    private Task<string> BuildAsync(string project, string artifacts, params string[] properties) => Tool.RunAsync(
        Executables.Dotnet, ["build", project, "-c", "Release", "-v", "q", "--nologo", "--artifacts-path", Path.Combine(_artifacts, artifacts), .. properties],
        new Dictionary<string, string?> { ["MSBUILDDISABLENODEREUSE"] = "1" });

    // Its own output folder, in the configuration that this program has.
    private static string Product(string name) => Path.Combine(
        AppContext.BaseDirectory.Replace($"{Path.DirectorySeparatorChar}Ariya.Benchmarks{Path.DirectorySeparatorChar}",
            $"{Path.DirectorySeparatorChar}{name}{Path.DirectorySeparatorChar}", StringComparison.Ordinal), $"{name}.dll");

    private string Peer(string name) => Path.Combine(_artifacts, "peers", "bin", name, "release", $"{name}.dll");
}
