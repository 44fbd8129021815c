using System.Globalization;
using Ariya.Hosting.Local.Processes;
using Ariya.Hosting.Local.Servers;
using Npgsql;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class PostgresRunnerTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Lines _lines = new();

    public void Dispose()
    {
        _folder.Dispose();
    }

    [Fact]
    public async Task ItRunsBelowAPrivateFolderForRootToo()
    {
        await using var children = new ChildProcesses();
        var (server, port) = await StartAsync(children);

        Assert.Equal("UTF8", await QueryAsync(port, "show server_encoding"));
        Assert.Equal("scram-sha-256", await QueryAsync(port, "show password_encryption"));
        await Assert.ThrowsAsync<PostgresException>(() => QueryAsync(port, "select 1", password: "wrong"));

        await server.StopAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, await server.Exited);
    }

    [Fact]
    public async Task ItRunsAsNobodyWhereNamespacesAreForbidden()
    {
        using var path = new TemporaryFolder();
        path.WriteScript("unshare", "exit 1");
        _folder.OpenToEveryUser();
        using var host = new SmallHostProcess(["postgres", _folder["data"]], pathPrefix: path.Path);
        var port = await host.NumberAfterAsync("port");
        await host.Output.ContainingAsync("ready to accept connections");

        Assert.Equal("1", await QueryAsync(port, "select 1"));
        if (Posix.EffectiveUserId == 0)
        {
            var status = File.ReadAllLines($"/proc/{await host.NumberAfterAsync("child")}/status");
            Assert.Contains(status, line => line.StartsWith("Uid:\t65534", StringComparison.Ordinal));
        }

        var child = await host.NumberAfterAsync("child");
        host.Kill();
        var deadline = TimeSpan.FromSeconds(10);
        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(child), () => "PostgreSQL has outlived its host.", deadline);
        await Lines.UntilAsync(() => Ports.IsFree(port), () => "The port is still taken.", deadline);
    }

    [Fact]
    public async Task DataSurvivesAKillAndAForeignProcessIdInThePidFile()
    {
        await using var children = new ChildProcesses();
        var (server, port) = await StartAsync(children);
        await QueryAsync(port, "create table kept as select 42 as answer; select 'made'");
        Posix.Signal(server.Id, StopSignal.Kill);
        await server.Exited;
        Assert.True(File.Exists(_folder["data/data/postmaster.pid"]));
        File.WriteAllText(_folder["data/data/postmaster.pid"], $"{Environment.ProcessId}\n{_folder["data/data"]}\n");

        (_, port) = await StartAsync(children);

        Assert.Equal("42", await QueryAsync(port, "select answer from kept"));
    }

    [Fact]
    public async Task ASecondServerOnTheSameDataIsRefused()
    {
        await using var children = new ChildProcesses();
        await StartAsync(children);

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => PrepareAsync(Ports.Pick()));

        Assert.Contains("in use by another PostgreSQL server", error.Message);
    }

    [Fact]
    public async Task DataOfAnotherMajorVersionIsNamed()
    {
        Directory.CreateDirectory(_folder["data/data"]);
        File.WriteAllText(_folder["data/data/PG_VERSION"], "9\n");

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => PrepareAsync(Ports.Pick()));

        Assert.Contains($"{_folder["data/data"]} was made by PostgreSQL 9", error.Message);
    }

    [Fact]
    public async Task AnInterruptedCreationOfTheDataDoesNotCount()
    {
        Directory.CreateDirectory(_folder["data/data.tmp-interrupted"]);

        await PrepareAsync(Ports.Pick());

        Assert.Equal([_folder["data/data"]], Directory.GetDirectories(_folder["data"]));
        Assert.Empty(Directory.GetFiles(_folder["data"]));
    }

    private async Task<(ChildProcess Server, int Port)> StartAsync(ChildProcesses children)
    {
        var port = Ports.Pick();
        var ready = _lines.All.Count(IsReady);
        var server = await children.StartAsync(await PrepareAsync(port), CancellationToken.None);
        await Lines.UntilAsync(() => _lines.All.Count(IsReady) > ready, () => $"PostgreSQL did not start:\n{_lines}");
        return (server, port);
    }

    private Task<ChildProcessStart> PrepareAsync(int port) => ServerRunner.Find("postgres")!.PrepareAsync(
        SmallHost.PostgresContext(_folder["data"], port, (line, _) => _lines.Add(line)), CancellationToken.None);

    private static bool IsReady(string line) => line.Contains("ready to accept connections");

    private static async Task<string?> QueryAsync(int port, string sql, string password = "correct horse")
    {
        var settings = new NpgsqlConnectionStringBuilder
        {
            Host = "127.0.0.1",
            Port = port,
            Username = "postgres",
            Password = password,
            Pooling = false,
        };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync();
        await using var batch = new NpgsqlBatch(connection);
        foreach (var statement in sql.Split("; "))
        {
            batch.BatchCommands.Add(new NpgsqlBatchCommand(statement));
        }

        return Convert.ToString(await batch.ExecuteScalarAsync(), CultureInfo.InvariantCulture);
    }
}
