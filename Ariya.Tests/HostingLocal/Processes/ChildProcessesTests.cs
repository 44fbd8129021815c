using Ariya.Hosting.Local.Processes;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class ChildProcessesTests
{
    private readonly Lines _lines = new();

    [Theory]
    [InlineData(nameof(StopSignal.Terminate), "TERM")]
    [InlineData(nameof(StopSignal.Interrupt), "INT")]
    [InlineData(nameof(StopSignal.Quit), "QUIT")]
    public async Task AChildIsAskedToEndWithItsOwnSignal(string stopSignal, string trapped)
    {
        await using var children = new ChildProcesses();
        var start = Script($"trap 'echo asked; exit 7' {trapped}; echo ready; while true; do sleep 0.05; done");
        var child = await children.StartAsync(start with { StopSignal = Enum.Parse<StopSignal>(stopSignal) }, CancellationToken.None);
        await _lines.ContainingAsync("ready");

        await child.StopAsync(TimeSpan.FromSeconds(20));

        Assert.Equal(7, await child.Exited);
        Assert.Contains("asked", _lines.All);
    }

    [Fact]
    public async Task AChildThatDoesNotListenIsKilledAfterTheGrace()
    {
        await using var children = new ChildProcesses();
        var child = await children.StartAsync(Script("trap '' TERM; echo ready; while true; do sleep 0.05; done"), CancellationToken.None);
        await _lines.ContainingAsync("ready");

        await child.StopAsync(TimeSpan.FromMilliseconds(200));

        Assert.Equal(128 + (int)StopSignal.Kill, await child.Exited);
    }

    [Fact]
    public async Task TheExitCodeComesAfterTheLastLines()
    {
        await using var children = new ChildProcesses();
        var child = await children.StartAsync(Script("echo one; echo two >&2; exit 3"), CancellationToken.None);

        Assert.Equal(3, await child.Exited);
        Assert.Equal(["one", "two"], _lines.All.Order());
    }

    [Fact]
    public async Task WhatAChildHasStartedDoesNotOutliveIt()
    {
        await using var children = new ChildProcesses();
        var child = await children.StartAsync(Script("sleep 600 & echo $!; exit 0"), CancellationToken.None);
        await child.Exited;

        var grandchild = int.Parse(_lines.All.Single(), System.Globalization.CultureInfo.InvariantCulture);
        await Lines.UntilAsync(() => !SmallHostProcess.IsRunning(grandchild), () => "The grandchild is still there.");
    }

    [Fact]
    public async Task TheEnvironmentIsWhatWasGivenAndNothingElse()
    {
        await using var children = new ChildProcesses();
        var environment = new Dictionary<string, string> { ["ConnectionStrings__my-db"] = "Host=a b", ["PLAIN"] = "" };
        var start = Script("") with { FileName = Executables.Find("env")!, Arguments = [], Environment = environment };
        var child = await children.StartAsync(start, CancellationToken.None);
        await child.Exited;

        Assert.Equal(["ConnectionStrings__my-db=Host=a b", "PLAIN="], _lines.All.Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task AProgramThatIsNotThereIsNamed()
    {
        await using var children = new ChildProcesses();
        var start = Script("") with { FileName = "/nowhere/server" };

        var error = await Assert.ThrowsAsync<FileNotFoundException>(() => children.StartAsync(start, CancellationToken.None));

        Assert.Contains("/nowhere/server", error.Message);
    }

    [Fact]
    public async Task NoChildIsLeftWhenTheHostIsDisposed()
    {
        var children = new ChildProcesses();
        var child = await children.StartAsync(Script("echo ready; sleep 600"), CancellationToken.None);
        await _lines.ContainingAsync("ready");

        await children.DisposeAsync();

        Assert.True(child.Exited.IsCompleted);
    }

    private ChildProcessStart Script(string script) => SmallHost.Script(script, (line, _) => _lines.Add(line));
}
