using System.Globalization;
using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Ariya.Tests.Mail.Trust;
using Ariya.Worker.Mail.Smtp;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Npgsql;

namespace Ariya.Tests.HostingLocal.Processes;

/// <summary>A host in a process of its own, for tests that end it: `dotnet Ariya.Tests.dll child`, `… postgres {folder}`, `… host`, `… mail-host`.</summary>
internal static class SmallHost
{
    private static async Task Main(string[] args)
    {
        switch (args[0])
        {
            case "host":
                RunWholeHost(args[1..]);
                return;
            case "mail-host":
                RunMailHost(args[1..]);
                return;
            case TrustingProcess.OutboxCommand:
                await TrustingProcess.RunOutboxAsync(int.Parse(args[1], CultureInfo.InvariantCulture), args[2]);
                return;
            case TrustingProcess.SendCommand:
                await TrustingProcess.RunAsync(int.Parse(args[1], CultureInfo.InvariantCulture), Enum.Parse<SmtpSecurity>(args[2]), bool.Parse(args[3]));
                return;
        }

        var builder = Microsoft.Extensions.Hosting.Host.CreateApplicationBuilder();
        builder.Logging.ClearProviders();
        builder.Services.AddHostedService<ParentWatch>();
        using var host = builder.Build();
        // Who reads the child's number may kill a parent at once: by then that is watched.
        await host.StartAsync();
        await using var children = new ChildProcesses();
        var start = args[0] == "postgres" ? await PostgresAsync(args[1]) : Script("echo ready; exec sleep 600");
        var child = await children.StartAsync(start, CancellationToken.None);
        Console.WriteLine($"child {child.Id}");
        await host.WaitForShutdownAsync();
    }

    /// <summary>An application model, run as an AppHost is: PostgreSQL with a database, and a program with a port.</summary>
    private static void RunWholeHost(string[] args)
    {
        var builder = DistributedApplication.CreateBuilder(args);
        var database = builder.AddPostgres("postgres").WithDataVolume().AddDatabase("ledger");
        database.OnResourceReady(async (resource, _, cancel) =>
        {
            var address = await ((IResourceWithConnectionString)resource).GetConnectionStringAsync(cancel);
            await using var source = NpgsqlDataSource.Create(address!);
            await using var command = source.CreateCommand("select to_regclass('kept') is null");
            var isNew = (bool)(await command.ExecuteScalarAsync(cancel))!;
            command.CommandText = "create table if not exists kept ()";
            await command.ExecuteNonQueryAsync(cancel);
            Console.WriteLine(isNew ? "database is new" : "database was kept");
        });
        builder.AddExecutable("program", "node", "/", "-e", "require('http').createServer((q, a) => a.end()).listen(process.env.PORT)")
            .WithHttpEndpoint(env: "PORT").WithHttpHealthCheck("/").WaitFor(database);
        builder.Build().Run();
    }

    /// <summary>Two servers that need Node, and programs that wait for one of them.</summary>
    private static void RunMailHost(string[] args)
    {
        var builder = DistributedApplication.CreateBuilder(args);
        builder.AddContainer("archive", "maildev/maildev").WithHttpEndpoint(targetPort: 1080).WithEndpoint(targetPort: 1025, name: "smtp");
        var mail = builder.AddContainer("mail", "maildev/maildev")
            .WithHttpEndpoint(targetPort: 1080).WithEndpoint(targetPort: 1025, name: "smtp");
        var import = builder.AddExecutable("import", "true", "/").WaitFor(mail);
        builder.AddExecutable("program", "true", "/").WaitForCompletion(import);
        builder.Build().Run();
    }

    private static Task<ChildProcessStart> PostgresAsync(string folder)
    {
        var port = Ports.Pick();
        Console.WriteLine($"port {port}");
        return ServerRunner.Find("postgres")!.PrepareAsync(PostgresContext(folder, port), CancellationToken.None);
    }

    public static ServerContext PostgresContext(string folder, int port, Action<string, bool>? log = null)
    {
        return new ServerContext
        {
            Environment = new Dictionary<string, string> { ["POSTGRES_PASSWORD"] = "correct horse" },
            Arguments = [],
            Ports = new Dictionary<int, int> { [5432] = port },
            DataDirectory = folder,
            IsPersistent = false,
            Log = log ?? ((line, _) => Console.WriteLine(line)),
            OnLine = log ?? ((line, _) => Console.WriteLine(line)),
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
