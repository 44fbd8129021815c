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

        using var second = new HostRun(_data.Path);
        Assert.Equal(1, await second.EndAsync());
        Assert.Contains("is in use by another host", second.Output.ToString());
        Assert.Contains("UseVolumes=false", second.Output.ToString());

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
    public async Task TakenPortEndsTheHostAndIsNamedWithItsSetting()
    {
        using var listener = HostRun.Taken();
        var port = ((IPEndPoint)listener.LocalEndpoint).Port;
        using var host = new HostRun(_data.Path, port);

        Assert.Equal(1, await host.EndAsync());
        Assert.Contains($"Port {port} (resource 'program', endpoint 'http') is in use", host.Output.ToString());
        Assert.Contains("Ports__program__http=", host.Output.ToString());
        Assert.True(Ports.IsFree(host.DatabasePort));
    }
}
