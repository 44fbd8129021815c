using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.Tests.HostingLocal.Processes;

/// <summary>A host in a process of its own, for tests that kill it: `dotnet Ariya.Tests.dll child` or `… postgres {folder}`.</summary>
internal static class SmallHost
{
    private static async Task Main(string[] args)
    {
        var builder = Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHostedService<ParentWatch>();
        using var host = builder.Build();
        await using var children = new ChildProcesses();
        var start = args[0] == "postgres" ? await PostgresAsync(args[1]) : Script("echo ready; exec sleep 600");
        var child = await children.StartAsync(start, CancellationToken.None);
        Console.WriteLine($"child {child.Id}");
        await host.RunAsync();
    }

    private static Task<ChildProcessStart> PostgresAsync(string folder)
    {
        var port = Ports.Pick();
        Console.WriteLine($"port {port}");
        return ServerRunners.Find("postgres")!.PrepareAsync(PostgresContext(folder, port), CancellationToken.None);
    }

    public static ServerContext PostgresContext(string folder, int port, Action<string, bool>? log = null)
    {
        return new ServerContext
        {
            ResourceName = "postgres",
            Image = "postgres",
            Environment = new Dictionary<string, string> { ["POSTGRES_PASSWORD"] = "correct horse" },
            Arguments = [],
            Ports = new Dictionary<int, int> { [5432] = port },
            DataDirectory = folder,
            IsPersistent = false,
            Log = log ?? ((line, _) => Console.WriteLine(line)),
        };
    }

    public static ChildProcessStart Script(string script, Action<string, bool>? onLine = null)
    {
        return new ChildProcessStart
        {
            FileName = "/bin/sh",
            Arguments = ["-c", script],
            WorkingDirectory = "/",
            Environment = new Dictionary<string, string> { ["PATH"] = Environment.GetEnvironmentVariable("PATH")! },
            OnLine = onLine ?? ((line, _) => Console.WriteLine(line)),
        };
    }
}
