using System.Net;
using System.Net.Sockets;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting;
using Aspire.Hosting.Testing;

namespace Ariya.Tests.HostingLocal.Model;

public class HostsSideBySideTests
{
    [Fact]
    public async Task TwoHostsPickPortsOfTheirOwn()
    {
        using var deadline = ShellModel.Deadline();
        var apps = await Task.WhenAll(Enumerable.Range(0, 2).Select(async _ =>
        {
            var builder = DistributedApplicationTestingBuilder.Create();
            builder.AddShell("server", $"echo port $PORT; {ShellModel.Forever}").WithHttpEndpoint(port: 8080, env: "PORT");
            return await builder.StartedAsync(deadline.Token);
        }));
        await using var one = apps[0];
        await using var other = apps[1];

        await ShellModel.UntilAsync(() => one.LinesOf("server").Count > 0, deadline.Token);
        Assert.NotEqual(one.GetEndpoint("server").Port, other.GetEndpoint("server").Port);
        Assert.Equal([$"port {one.GetEndpoint("server").Port}"], one.LinesOf("server"));
    }

    [Fact]
    public async Task SecondHostDoesNotGetTheFirstOnesData()
    {
        using var deadline = ShellModel.Deadline();
        var volume = $"test-{Guid.CreateVersion7():N}";
        IDistributedApplicationTestingBuilder Model()
        {
            var builder = DistributedApplicationTestingBuilder.Create();
            builder.AddPostgres("postgres").WithDataVolume(volume).WithExplicitStart();
            return builder;
        }

        await using (await Model().StartedAsync(deadline.Token))
        {
            var failure = await Assert.ThrowsAsync<DistributedApplicationException>(() => Model().StartedAsync(deadline.Token));
            Assert.Contains(Path.Combine("volumes", volume), failure.Message);
        }

        await using (await Model().StartedAsync(deadline.Token))
        {
            File.Delete(Path.Combine(Checkout.Folder, ".data", "volumes", volume + ".lock"));
        }
    }

    [Fact]
    public async Task TakenPortIsNamedWithItsResourceAndSetting()
    {
        using var deadline = ShellModel.Deadline();
        using var taken = new TcpListener(IPAddress.Loopback, 0);
        taken.Start();
        var port = ((IPEndPoint)taken.LocalEndpoint).Port;
        var builder = DistributedApplicationTestingBuilder.Create([$"Ports:api:http={port}"]);
        builder.AddShell("api", ShellModel.Forever).WithHttpEndpoint(env: "PORT");
        builder.AddShell("program", ShellModel.Forever);

        var app = await builder.BuildAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(deadline.Token));

        Assert.Contains($"Port {port} (resource 'api', endpoint 'http') is in use", failure.Message);
        Assert.Contains("Ports__api__http=", failure.Message);
        Assert.False(app.HasProcess("program"));
        await app.DisposeAsync();
    }

    [Fact]
    public async Task TwoEndpointsOnOnePortAreNamedBoth()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create(["Ports:one:http=29987", "Ports:other:http=29987"]);
        builder.AddShell("one", ShellModel.Forever).WithHttpEndpoint(env: "PORT");
        builder.AddShell("other", ShellModel.Forever).WithHttpEndpoint(env: "PORT");

        await using var app = await builder.BuildAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(deadline.Token));

        Assert.Contains("resource 'other', endpoint 'http'", failure.Message);
        Assert.Contains("that of resource 'one', endpoint 'http'", failure.Message);
    }

    [Fact]
    public async Task PickedPortThatIsLostIsPickedAnewAndItsUsersAreTold()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        var mayStart = new TaskCompletionSource();
        // Says what a server says that finds its port taken, for as long as the port is.
        var server = builder.AddShell("server", $"[ $PORT != $LOST ] || {{ echo Address already in use; exit 1; }}; {ShellModel.Forever}")
            .WithHttpEndpoint(env: "PORT").OnBeforeResourceStarted((_, _, cancel) => mayStart.Task.WaitAsync(cancel));
        builder.AddShell("client", $"echo $SERVER; {ShellModel.Forever}").WithEnvironment("SERVER", server.GetEndpoint("http"));
        var lost = 0;
        server.WithEnvironment("LOST", () => $"{lost}");

        await using var app = await builder.StartedAsync(deadline.Token);
        lost = app.GetEndpoint("server").Port;
        using var thief = new TcpListener(IPAddress.Loopback, lost);
        thief.Start();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("client", deadline.Token);
        mayStart.SetResult();
        await ShellModel.UntilAsync(
            () => app.GetEndpoint("server").Port != lost
                && app.LinesOf("client").Contains($"http://localhost:{app.GetEndpoint("server").Port}"),
            deadline.Token);

        Assert.Contains("Address already in use", app.LinesOf("server"));
    }
}
