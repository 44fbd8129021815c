using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Servers;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class NpmServersTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();
    private readonly Lines _log = new();
    private readonly NpmServers _npm;

    public NpmServersTests()
    {
        Directory.CreateDirectory(_folder["package"]);
        File.WriteAllText(_folder["package/package.json"], """{ "name": "nothing", "version": "1.0.0" }""");
        File.WriteAllText(_folder["package/package-lock.json"], """
            { "name": "nothing", "version": "1.0.0", "lockfileVersion": 3, "packages": { "": { "name": "nothing", "version": "1.0.0" } } }
            """);
        _npm = new NpmServers(_folder["package"], _folder["servers"]);
    }

    public void Dispose()
    {
        _folder.Dispose();
    }

    [Fact]
    public async Task AnInterruptedInstallationDoesNotCountAndIsRemoved()
    {
        var leftover = $"{_npm.Folder}.tmp-interrupted";
        Directory.CreateDirectory(Path.Combine(leftover, "node_modules"));

        var installed = await _npm.EnsureAsync(Log, CancellationToken.None);

        Assert.Equal(_npm.Folder, installed);
        Assert.True(File.Exists(Path.Combine(installed, "package.json")));
        Assert.Equal([installed], Directory.GetDirectories(_folder["servers"]));
    }

    [Fact]
    public async Task OfTwoThatWaitAndSaySoOneInstalls()
    {
        Directory.CreateDirectory(_folder["servers"]);
        var held = PrivateFiles.TryLock(_folder["servers/npm.lock"]);
        var both = Task.WhenAll(
            _npm.EnsureAsync(Log, CancellationToken.None),
            new NpmServers(_folder["package"], _folder["servers"]).EnsureAsync(Log, CancellationToken.None));
        await Lines.UntilAsync(() => _log.All.Count(line => line.Contains("waiting")) == 2, () => $"Not both wait:\n{_log}");
        held!.Dispose();
        await both;

        Assert.Single(_log.All, line => line.StartsWith("Installed", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatIsInstalledIsTakenAsItIs()
    {
        Directory.CreateDirectory(_npm.Folder);

        await _npm.EnsureAsync(Log, CancellationToken.None);

        Assert.Empty(_log.All);
    }

    [Fact]
    public async Task AFailedInstallationSaysWhyAndLeavesNothing()
    {
        File.WriteAllText(
            _folder["package/package.json"], """{ "name": "nothing", "version": "1.0.0", "dependencies": { "left": "1.0.0" } }""");

        var error = await Assert.ThrowsAsync<InvalidOperationException>(() => _npm.EnsureAsync(Log, CancellationToken.None));

        Assert.Contains("npm error", error.Message);
        Assert.Empty(Directory.GetDirectories(_folder["servers"]));
    }

    private void Log(string line, bool isError)
    {
        _log.Add(line);
    }
}
