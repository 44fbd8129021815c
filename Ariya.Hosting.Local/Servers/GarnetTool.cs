using System.Text.Json;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// Garnet, a server that speaks Redis's protocol, from the checkout's .NET tool manifest. Its assembly is started directly:
/// `dotnet garnet-server` is one process more, which signals and a kill do not get past.
/// </summary>
internal static class GarnetTool
{
    public static async Task<string> EnsureAsync(Action<string, bool> log, CancellationToken ct)
    {
        var version = Version();
        if (PackageRoot() is { } known && Find(known, version) is { } installed)
        {
            return installed;
        }

        var servers = Checkout.ServersFolder;
        await FolderAccess.EnsureWritableAsync(servers, ct);
        using var installLock = await FolderAccess.LockAsync(
            Path.Combine(servers, "tools.lock"), () => log("The .NET tools are being restored already; waiting for that …", false), ct);
        var environment = ToolEnvironment.For(servers);
        var located = await ShortCommand.RunAsync(
            Executables.Dotnet, ["nuget", "locals", "global-packages", "--list"], ct, Checkout.Folder, environment);
        var root = located.Output.Split("global-packages:").Last().Split('\n')[0].Trim();
        if (Find(root, version) is { } found)
        {
            return found;
        }

        log($"Restoring Garnet {version}, the Redis-compatible server (about 110 MB, once) …", false);
        var restoring = ShortCommand.RunAsync(Executables.Dotnet, ["tool", "restore"], ct, Checkout.Folder, environment);
        await Progress.ReportAsync(restoring, () => "NuGet is downloading and unpacking Garnet", log, ct);
        var restore = await restoring;
        return Find(root, version) ?? throw new InvalidOperationException(
            $"`dotnet tool restore` did not bring Garnet {version} (exit code {restore.ExitCode}):\n{restore.LastLines(15)}");
    }

    private static string? Find(string packageRoot, string version)
    {
        var package = Path.Combine(packageRoot, "garnet-server", version);
        var assembly = Path.Combine(package, "tools", "net10.0", "any", "GarnetServer.dll");
        // NuGet writes this file last: without it the package is still being unpacked.
        return File.Exists(Path.Combine(package, ".nupkg.metadata")) && File.Exists(assembly) ? assembly : null;
    }

    private static string? PackageRoot() =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } packages ? packages
        : Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home ? Path.Combine(home, ".nuget", "packages")
        : null;

    private static string Version()
    {
        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Folder, ".config", "dotnet-tools.json")));
        return manifest.RootElement.GetProperty("tools").GetProperty("garnet-server").GetProperty("version").GetString()!;
    }
}
