using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Servers;

namespace Ariya.Tests.HostingLocal.Processes;

public sealed class FolderAccessTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [Fact]
    public async Task DataOfTheCheckoutIsTakenOverWithItsBuildOutputs()
    {
        var kept = Path.Combine(Checkout.Folder, ".data");
        Directory.CreateDirectory(kept);

        var error = await FolderAccess.OwnedBySomebodyElseAsync(Path.Combine(kept, "nothing", "here"), CancellationToken.None);

        Assert.StartsWith($"{kept} belongs to ", error.Message);
        Assert.EndsWith($"cd '{Checkout.Folder}' && sudo chown -R \"$USER\" .data */bin */obj", error.Message);
    }

    [Fact]
    public async Task DataElsewhereIsTakenOverByItself()
    {
        var error = await FolderAccess.OwnedBySomebodyElseAsync(_folder["nothing"], CancellationToken.None);

        Assert.EndsWith($"sudo chown -R \"$USER\" '{_folder.Path}'", error.Message);
    }
}
