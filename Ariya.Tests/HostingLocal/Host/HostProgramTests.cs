using System.Net;
using Ariya.Hosting.Local.Processes;
using Ariya.Tests.HostingLocal.Processes;

namespace Ariya.Tests.HostingLocal.Host;

public sealed class HostProgramTests : IDisposable
{
    private readonly TemporaryFolder _data = new();

    public void Dispose() => _data.Dispose();

    [Fact]
    public async Task SecondRunFindsTheDataAndSignalsEndBothRuns()
    {
        using var first = new HostRun(_data.Path);
        await first.UpAsync();
        Assert.Contains(first.Output.All, line => line.Contains("database is new"));
        Assert.DoesNotContain(first.Output.All, line => line.Contains("LOG:"));
        Posix.Signal(first.Id, StopSignal.Terminate);
        Assert.Equal(0, await first.EndAsync());
        await first.LeavesNothingAsync();
        Assert.Empty(first.TemporaryFolders());

        using var second = new HostRun(_data.Path);
        await second.UpAsync();
        Assert.Contains(second.Output.All, line => line.Contains("database was kept"));
        Posix.Signal(second.Id, StopSignal.Interrupt);
        Assert.Equal(0, await second.EndAsync());
        await second.LeavesNothingAsync();
        Assert.Empty(second.TemporaryFolders());
    }

    [Fact]
    public async Task SecondHostOnTheSameDataIsRefusedAndKillLeavesNothing()
    {
        using var first = new HostRun(_data.Path);
        await first.UpAsync();

        using var second = new HostRun(_data.Path, first.ProgramPort, first.PagePort);
        Assert.Equal(1, await second.EndAsync());
        Assert.Contains("is in use by another host", second.Output.ToString());
        Assert.Contains("UseVolumes=false", second.Output.ToString());
        Assert.DoesNotContain("Port ", second.Output.ToString());

        Posix.Signal(first.Id, StopSignal.Kill);
        await first.LeavesNothingAsync();
    }

    [Fact]
    public async Task WholeAppHostEndsWithItsDotnetRun()
    {
        using var run = new HostRun(_data.Path, underDotnetRun: true);
        await run.UpAsync();

        Posix.Signal(run.Id, StopSignal.Kill);

        await run.LeavesNothingAsync();
    }

    [Fact]
    public async Task TakenPortsEndTheHostAndAreNamedWithTheirSettings()
    {
        using var listener = HostRun.Taken();
        using var pageListener = HostRun.Taken();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        var pagePort = ((IPEndPoint)pageListener.LocalEndpoint).Port;
        using var host = new HostRun(_data.Path, port, pagePort);

        Assert.Equal(1, await host.EndAsync());
        Assert.Contains($"Port {pagePort} (the host's page) is in use", host.Output.ToString());
        Assert.Contains("Ports__host__http=", host.Output.ToString());
        Assert.Contains($"Port {port} (resource 'program', endpoint 'http') is in use", host.Output.ToString());
        Assert.Contains("Ports__program__http=", host.Output.ToString());
        Assert.True(Ports.IsFree(host.DatabasePort));
    }

    [Fact]
    public async Task DataThatCannotBeWrittenIsNamedWithTheRemedyAndNothingElse()
    {
        _data.MakeReadOnly();
        // Root without this capability is like everybody else.
        string[] launcher = Posix.EffectiveUserId == 0 ? ["setpriv", "--bounding-set=-dac_override"] : [];
        using var host = new HostRun(_data.Path, launcher: launcher);

        Assert.Equal(1, await host.EndAsync());
        var line = Assert.Single(host.Output.All);
        Assert.Contains(_data.Path, line);
        Assert.Contains("sudo chown -R \"$USER\"", line);
    }

    [Theory]
    [InlineData("", "PostgreSQL and MailDev")]
    [InlineData("/usr/lib/postgresql", "needed for MailDev")]
    public async Task MissingNodeIsSaidOnceAndNothingOfThoseThatEndWithTheHost(string postgresFolder, string needed)
    {
        using var path = new TemporaryFolder();
        var environment = new Dictionary<string, string> { ["PATH"] = path.Path, ["ARIYA_POSTGRES_BIN"] = postgresFolder };
        using var host = new HostRun(_data.Path, model: "mail-host", environment: environment);

        Assert.Equal(1, await host.EndAsync());
        var line = Assert.Single(host.Output.All, line => line.Contains("Node.js"));
        Assert.Contains(needed, line);
        Assert.Contains("https://nodejs.org", line);
        Assert.DoesNotContain(host.Output.All, other => other.Contains("failed") || other.Contains("ended") || other.Contains('|'));
    }
}
