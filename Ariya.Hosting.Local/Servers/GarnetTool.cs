using System.Text.Json;
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
        if (Find(PackageRoots(), version) is { } installed)
        {
            return installed;
        }

        var servers = Checkout.ServersFolder;
        await FolderAccess.EnsureWritableAsync(servers, ct);
        using var installLock = await InstallLock.AcquireAsync(
            Path.Combine(servers, "tools.lock"), () => log("The .NET tools are being restored already; waiting for that …", false), ct);
        var dotnet = Executables.Dotnet();
        var environment = ToolEnvironment.For(servers);
        var located = await ShortCommand.RunAsync(
            dotnet, ["nuget", "locals", "global-packages", "--list"], Checkout.Folder, environment, ct);
        string[] root = [located.Output.Split("global-packages:").Last().Split('\n')[0].Trim()];
        if (Find(root, version) is { } found)
        {
            return found;
        }

        log($"Restoring Garnet {version}, the Redis-compatible server (about 110 MB, once) …", false);
        var restore = await ShortCommand.RunAsync(dotnet, ["tool", "restore"], Checkout.Folder, environment, ct);
        return Find(root, version) ?? throw new InvalidOperationException(
            $"`dotnet tool restore` did not bring Garnet {version} (exit code {restore.ExitCode}):\n{restore.LastLines(15)}");
    }

    private static string? Find(IEnumerable<string> packageRoots, string version)
    {
        foreach (var root in packageRoots)
        {
            var package = Path.Combine(root, "garnet-server", version);
            var assembly = Path.Combine(package, "tools", "net10.0", "any", "GarnetServer.dll");
            // NuGet writes this file last: without it the package is still being unpacked.
            if (File.Exists(Path.Combine(package, ".nupkg.metadata")) && File.Exists(assembly))
            {
                return assembly;
            }
        }

        return null;
    }

    private static IEnumerable<string> PackageRoots()
    {
        if (Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } packages)
        {
            yield return packages;
        }
        else if (Environment.GetEnvironmentVariable("HOME") is { Length: > 0 } home)
        {
            yield return Path.Combine(home, ".nuget", "packages");
        }
    }

    private static string Version()
    {
        using var manifest = JsonDocument.Parse(File.ReadAllText(Path.Combine(Checkout.Folder, ".config", "dotnet-tools.json")));
        return manifest.RootElement.GetProperty("tools").GetProperty("garnet-server").GetProperty("version").GetString()!;
    }
}
