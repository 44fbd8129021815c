using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Reflection;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;
using Ariya.Tests.HostingLocal.Processes;

namespace Ariya.Tests.HostingLocal.Host;

/// <summary>
/// A host in a process of its own, on ports and data of the test's own: PostgreSQL and a program; or, under `dotnet run`, the whole
/// AppHost.
/// </summary>
internal sealed class HostRun : IDisposable
{
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(10);

    private readonly TemporaryFolder _temporary = new();
    private readonly HashSet<int> _processes = [];
    private readonly Process _process;

    public HostRun(
        string dataFolder, int? programPort = null, int? pagePort = null, bool underDotnetRun = false, string model = "host",
        string[]? launcher = null, Dictionary<string, string>? environment = null)
    {
        ProgramPort = programPort ?? Ports.Pick();
        PagePort = pagePort ?? Ports.Pick();
        string[] program = underDotnetRun
            ? ["run", "--no-build", "-c", Configuration, "--project", Path.Combine(Checkout.Folder, "Ariya.AppHost"), "--"]
            : ["exec", typeof(SmallHost).Assembly.Location, model];
        string[] command =
        [
            .. launcher ?? [], Executables.Dotnet, .. program,
            $"AppHost:DataDirectory={dataFolder}", $"Ports:host:http={PagePort}", $"Ports:postgres:tcp={DatabasePort}",
            $"Ports:program:http={ProgramPort}", $"Ports:api:http={ProgramPort}",
            $"Ports:maildev:http={Ports.Pick()}", $"Ports:maildev:smtp={Ports.Pick()}",
        ];
        var info = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        info.Environment["TMPDIR"] = _temporary.Path;
        info.Environment.Remove("ASPNETCORE_ENVIRONMENT");
        foreach (var (name, value) in environment ?? [])
        {
            info.Environment[name] = value;
        }

        _process = Process.Start(info)!;
        _process.OutputDataReceived += (_, line) => Output.Add(line.Data);
        _process.ErrorDataReceived += (_, line) => Output.Add(line.Data);
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    public Lines Output { get; } = new();
    public int Id => _process.Id;
    public int PagePort { get; }
    public int DatabasePort { get; } = Ports.Pick();
    public int ProgramPort { get; }

    public async Task UpAsync()
    {
        await Output.ContainingAsync("verything is up");
        Assert.False(Ports.IsFree(DatabasePort), Output.ToString());
        Assert.False(Ports.IsFree(PagePort), Output.ToString());
        _processes.UnionWith(Below(Id));
    }

    public async Task<int> EndAsync()
    {
        await Lines.UntilAsync(() => _process.HasExited, () => $"The host has not ended:\n{Output}", s_end);
        await _process.WaitForExitAsync();
        return _process.ExitCode;
    }

    /// <summary>Whatever ended the host: no process that it had started, and no port.</summary>
    public async Task LeavesNothingAsync()
    {
        await Lines.UntilAsync(
            () => !_processes.Any(SmallHostProcess.IsRunning), () => $"Still running: {string.Join(", ", _processes.Where(
                SmallHostProcess.IsRunning).Select(id => string.Join(' ', Posix.CommandLineOf(id))))}", s_end);
        foreach (var port in new[] { PagePort, DatabasePort, ProgramPort })
        {
            await Lines.UntilAsync(() => Ports.IsFree(port), () => $"Port {port} is still taken.", s_end);
        }
    }

    public IEnumerable<string> TemporaryFolders() => Directory.EnumerateDirectories(_temporary.Path, "ariya-run-*");

    public void Dispose()
    {
        if (!_process.HasExited)
        {
            _process.Kill(entireProcessTree: true);
            _process.WaitForExit();
        }

        _process.Dispose();
        _temporary.Dispose();
    }

    public static TcpListener Taken()
    {
        var listener = new TcpListener(IPAddress.Loopback, Ports.Pick());
        listener.Start();
        return listener;
    }

    private static string Configuration =>
        typeof(HostRun).Assembly.GetCustomAttribute<AssemblyConfigurationAttribute>()!.Configuration;

    /// <summary>Every process below one, by the parents that the kernel names.</summary>
    private static List<int> Below(int processId)
    {
        var children = new DirectoryInfo($"/proc/{processId}/task").EnumerateDirectories()
            .SelectMany(thread => ChildrenOf(thread).Split(' ', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
            .Select(id => int.Parse(id, CultureInfo.InvariantCulture)).ToList();
        return [.. children, .. children.Where(SmallHostProcess.IsRunning).SelectMany(Below)];
    }

    private static string ChildrenOf(DirectoryInfo thread)
    {
        try
        {
            return File.ReadAllText(Path.Combine(thread.FullName, "children"));
        }
        catch (IOException)
        {
            // It has ended since it was listed; what it had started is another thread's now.
            return "";
        }
    }
}
