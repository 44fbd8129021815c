using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Diagnostics.HealthChecks;

namespace Ariya.Tests.HostingLocal.Model;

public class FailureReportTests
{
    [Fact]
    public async Task WaitForADeadResourceTellsExitCodeAndLastLines()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddShell("server", "echo opening the ledger; echo the ledger is torn >&2; exit 7")
            .WithProbe(() => HealthCheckResult.Unhealthy("no answer"));

        await using var app = await builder.StartedAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => app.ResourceNotifications.WaitForResourceHealthyAsync("server", deadline.Token));

        Assert.Equal(KnownResourceStates.Exited, app.StateOf("server").State!.Text);
        Assert.Equal(7, app.StateOf("server").ExitCode);
        foreach (var part in new[] { "'server' is Exited (exit code 7)", "opening the ledger", "the ledger is torn" })
        {
            Assert.Contains(part, failure.Message);
        }
    }

    [Fact]
    public async Task CancelledWaitTellsTheLastHealthReport()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddShell("server", $"echo half way; {ShellModel.Forever}").WithProbe(() => HealthCheckResult.Unhealthy("the gate is shut"));

        await using var app = await builder.StartedAsync(deadline.Token);
        await ShellModel.UntilAsync(
            () => app.LinesOf("server").Count > 0 && app.StateOf("server").HealthReports.Any(r => r.Status is not null), deadline.Token);
        using var impatience = new CancellationTokenSource();
        var wait = app.ResourceNotifications.WaitForResourceHealthyAsync("server", impatience.Token);
        await impatience.CancelAsync();
        var failure = await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wait);

        foreach (var part in new[] { "'server' is Running", "server_probe: Unhealthy: the gate is shut", "half way" })
        {
            Assert.Contains(part, failure.Message);
        }
    }

    [Fact]
    public async Task FailedDependencyIsNamedByThoseThatWaitForIt()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        var migrations = builder.AddShell("migrations", "echo table exists already; exit 3");
        var api = builder.AddShell("api", ShellModel.Forever).WaitForCompletion(migrations);
        builder.AddShell("worker", ShellModel.Forever).WaitFor(api);

        await using var app = await builder.StartedAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => app.ResourceNotifications.WaitForResourceHealthyAsync("worker", deadline.Token));

        Assert.Equal(KnownResourceStates.FailedToStart, app.StateOf("api").State!.Text);
        Assert.Equal(KnownResourceStates.FailedToStart, app.StateOf("worker").State!.Text);
        Assert.Contains("exit code 0, but did with 3", string.Join('\n', app.LinesOf("api")));
        Assert.Contains("'api' is FailedToStart", failure.Message);
        Assert.Contains("table exists already", failure.Message);
    }

    [Fact]
    public async Task WaitForCompletionTakesTheExitCodeItWasTold()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        var check = builder.AddShell("check", "exit 3");
        builder.AddShell("next", "exit 0").WaitForCompletion(check, exitCode: 3);

        await using var app = await builder.StartedAsync(deadline.Token);

        Assert.Equal(KnownResourceStates.Finished, (await app.EndOfAsync("next", deadline.Token)).State!.Text);
    }

    [Fact]
    public async Task FailedReadyHandlerFailsTheWait()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddShell("server", ShellModel.Forever)
            .OnResourceReady((_, _, _) => throw new InvalidOperationException("no room for a database"));

        await using var app = await builder.StartedAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => app.ResourceNotifications.WaitForResourceHealthyAsync("server", deadline.Token));

        Assert.Contains("no room for a database", failure.Message);
    }

    [Fact]
    public async Task ProgramThatDoesNotExistFailsToStart()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddExecutable("program", "/nowhere/program", Path.GetTempPath());

        await using var app = await builder.StartedAsync(deadline.Token);
        var end = await app.EndOfAsync("program", deadline.Token);

        Assert.Equal(KnownResourceStates.FailedToStart, end.State!.Text);
        Assert.Contains("/nowhere/program", string.Join('\n', app.LinesOf("program")));
    }

    [Fact]
    public async Task UnknownResourceIsSaidToBeUnknown()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();

        await using var app = await builder.StartedAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(
            () => app.ResourceNotifications.WaitForResourceHealthyAsync("nobody", deadline.Token));

        Assert.Contains("'nobody' does not exist", failure.Message);
    }

    [Fact]
    public async Task ImageWithoutALocalServerIsRefusedBeforeAnythingStarts()
    {
        using var deadline = ShellModel.Deadline();
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddContainer("queue", "rabbitmq", "4");
        builder.AddShell("program", ShellModel.Forever);

        await using var app = await builder.BuildAsync(deadline.Token);
        var failure = await Assert.ThrowsAsync<DistributedApplicationException>(() => app.StartAsync(deadline.Token));

        Assert.Contains("UseAspire=true", failure.Message);
        Assert.False(app.HasProcess("program"));
    }
}
