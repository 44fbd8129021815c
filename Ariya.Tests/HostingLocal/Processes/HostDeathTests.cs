using Ariya.Hosting.Local.Processes;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class HostDeathTests
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(10);

    [Fact]
    public async Task ChildrenDieWithTheHost()
    {
        using var host = new SmallHostProcess(["child"]);
        var child = await host.NumberAfterAsync("child");
        await host.Output.ContainingAsync("ready");
        Assert.True(SmallHostProcess.IsRunning(child));

        host.Kill();

        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(child), () => "The child has outlived its host.", s_deadline);
    }

    [Fact]
    public async Task TheWatchdogAloneEndsChildrenToo()
    {
        // A `setpriv` that sets nothing: as on macOS, where there is none.
        using var folder = new TemporaryFolder();
        folder.WriteScript("setpriv", "shift 2; exec \"$@\"");
        using var host = new SmallHostProcess(["child"], pathPrefix: folder.Path);
        var child = await host.NumberAfterAsync("child");
        await host.Output.ContainingAsync("ready");

        host.Kill();

        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(child), () => "The child has outlived its host.", s_deadline);
    }

    [Fact]
    public async Task HostAndChildrenEndWithTheirDotnetRun()
    {
        // A shell by the name of `dotnet` with an argument `run` waits for the host as `dotnet run` does.
        string[] launcher = ["/bin/bash", "-c", "exec -a dotnet /bin/bash -c '\"$@\" & echo host $!; wait' run \"$@\"", "run"];
        using var dotnetRun = new SmallHostProcess(["child"], launcher);
        var host = await dotnetRun.NumberAfterAsync("host");
        var child = await dotnetRun.NumberAfterAsync("child");
        await dotnetRun.Output.ContainingAsync("ready");

        dotnetRun.Kill();

        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(host), () => "The host has outlived its `dotnet run`.", s_deadline);
        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(child), () => "The child has outlived both.", s_deadline);
    }

    [Theory]
    [InlineData(true, "dotnet", "run")]
    [InlineData(true, "/usr/bin/dotnet", "run", "--project", "Ariya.AppHost")]
    [InlineData(true, "dotnet", "watch", "run")]
    [InlineData(false, "dotnet", "test")]
    [InlineData(false, "dotnet", "exec", "vstest.console.dll")]
    [InlineData(false, "dotnet", "exec", "host.dll", "--", "run")]
    [InlineData(false, "bash", "run")]
    [InlineData(false, "/sbin/init")]
    [InlineData(false)]
    public void OnlyADotnetRunIsWatched(bool expected, params string[] commandLine)
    {
        Assert.Equal(expected, ParentWatch.IsDotnetRun(commandLine));
    }
}
