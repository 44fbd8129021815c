using Ariya.Hosting.Local.Page;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ariya.Tests.HostingLocal.Model;

public class StartOrderTests
{
    [Fact]
    public async Task StartsInTheOrderOfTheWaits()
    {
        using var deadline = ShellModel.Deadline();
        var order = Path.GetTempFileName();
        var builder = DistributedApplicationTestingBuilder.Create();
        var last = builder.AddShell("last", $"echo last >> {order}");
        // Without a probe it would be ready as soon as there is a process, which has yet to write.
        var middle = builder.AddShell("middle", $"echo middle >> {order}; {ShellModel.Forever}").WithProbe(
            () => File.ReadAllText(order).Contains("middle") ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy());
        var first = builder.AddShell("first", $"echo first >> {order}");
        middle.WaitForCompletion(first);
        last.WaitFor(middle);

        await using var app = await builder.StartedAsync(deadline.Token);
        var end = await app.EndOfAsync("last", deadline.Token);

        Assert.Equal(KnownResourceStates.Finished, end.State!.Text);
        Assert.Equal(["first", "middle", "last"], await File.ReadAllLinesAsync(order, deadline.Token));
        File.Delete(order);
    }

    [Fact]
    public async Task WaitForWaitsForHealthAndForTheReadyHandlers()
    {
        using var deadline = ShellModel.Deadline();
        var isHealthy = false;
        var handlerRuns = new TaskCompletionSource();
        var handlerMayEnd = new TaskCompletionSource();
        var builder = DistributedApplicationTestingBuilder.Create();
        var server = builder.AddShell("server", ShellModel.Forever)
            .WithProbe(() => Volatile.Read(ref isHealthy) ? HealthCheckResult.Healthy() : HealthCheckResult.Unhealthy("not yet"))
            .OnResourceReady(async (_, _, cancel) =>
            {
                handlerRuns.SetResult();
                await handlerMayEnd.Task.WaitAsync(cancel);
            });
        builder.AddShell("client", ShellModel.Forever).WaitFor(server);

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.ResourceNotifications.WaitForResourceAsync(
            "server", e => e.Snapshot.HealthReports.Any(r => r.Description == "not yet"), deadline.Token);
        await app.ResourceNotifications.WaitForResourceAsync("client", KnownResourceStates.Waiting, deadline.Token);
        Assert.False(handlerRuns.Task.IsCompleted);

        Volatile.Write(ref isHealthy, true);
        await handlerRuns.Task.WaitAsync(deadline.Token);
        Assert.Equal(KnownResourceStates.Waiting, app.StateOf("client").State!.Text);

        handlerMayEnd.SetResult();
        await app.ResourceNotifications.WaitForResourceHealthyAsync("client", deadline.Token);
    }

    [Fact]
    public async Task OneGoodProbeIsNotHealth()
    {
        using var deadline = ShellModel.Deadline();
        var probes = 0;
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddShell("server", ShellModel.Forever)
            .WithProbe(() => Interlocked.Increment(ref probes) == 2 ? HealthCheckResult.Unhealthy() : HealthCheckResult.Healthy());

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("server", deadline.Token);

        // Good, bad, good, good.
        Assert.True(probes >= 4, $"healthy after {probes} probes");
    }

    [Fact]
    public async Task WaitForStartDoesNotWaitForHealth()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        var server = builder.AddShell("server", ShellModel.Forever).WithProbe(() => HealthCheckResult.Unhealthy());
        builder.AddShell("client", ShellModel.Forever).WaitForStart(server);

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("client", deadline.Token);

        Assert.Equal(HealthStatus.Unhealthy, app.StateOf("server").HealthStatus);
    }

    [Fact]
    public async Task DatabaseIsNotProbedBeforeItWasMade()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddPostgres("postgres").AddDatabase("ledger");

        await using var app = await builder.StartedAsync(deadline.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("ledger", deadline.Token);

        Assert.DoesNotContain(app.LinesOf("postgres"), line => line.Contains("does not exist"));
    }

    [Fact]
    public async Task CommandsStartStopAndRestart()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddShell("program", $"echo started; {ShellModel.Forever}").WithUrl("http://localhost:1").WithExplicitStart();

        await using var app = await builder.StartedAsync(deadline.Token);
        Assert.Equal(KnownResourceStates.NotStarted, app.StateOf("program").State!.Text);

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("program", "start", deadline.Token)).Success);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("program", deadline.Token);
        Assert.Equal("http://localhost:1", Assert.Single(app.StateOf("program").Urls).Url);
        var firstStart = app.StateOf("program").StartTimeStamp;
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("program", "start", deadline.Token)).Success);

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("program", "restart", deadline.Token)).Success);
        await app.ResourceNotifications.WaitForResourceAsync(
            "program", e => e.Snapshot.StartTimeStamp > firstStart, deadline.Token);
        await app.ResourceNotifications.WaitForResourceHealthyAsync("program", deadline.Token);

        Assert.True((await app.ResourceCommands.ExecuteCommandAsync("program", "stop", deadline.Token)).Success);
        Assert.Equal(KnownResourceStates.Exited, app.StateOf("program").State!.Text);
        Assert.Equal("stopped", ResourceState.Describe(app.StateOf("program")));
        Assert.False(ResourceState.HasFailed(app.StateOf("program")));
        Assert.Empty(app.StateOf("program").Urls);
        Assert.False((await app.ResourceCommands.ExecuteCommandAsync("program", "dance", deadline.Token)).Success);
    }
}
