using System.Globalization;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// Says plainly what is wrong when root and an ordinary user, or two users, have run the same checkout: otherwise the first sign
/// is a permission error somewhere inside npm or PostgreSQL.
/// </summary>
internal static class FolderAccess
{
    private static readonly TimeSpan s_lockInterval = TimeSpan.FromMilliseconds(250);

    public static bool CanWrite(string folder)
    {
        try
        {
            var probe = Path.Combine(folder, $".probe-{Guid.CreateVersion7():N}");
            File.WriteAllText(probe, "");
            File.Delete(probe);
            return true;
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            return false;
        }
    }

    /// <summary>Makes the folder when it is missing and checks that this user can write into it.</summary>
    public static async Task EnsureWritableAsync(string folder, CancellationToken ct)
    {
        try
        {
            Directory.CreateDirectory(folder);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            throw await OwnedBySomebodyElseAsync(folder, ct);
        }

        if (!CanWrite(folder))
        {
            throw await OwnedBySomebodyElseAsync(folder, ct);
        }
    }

    /// <summary>Checks the kept data before any of it is read: a file that another user wrote may lie in a folder of one's own.</summary>
    public static async Task EnsureUsableAsync(string dataRoot, CancellationToken ct)
    {
        try
        {
            PrivateFiles.CreateFolder(dataRoot);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            throw await OwnedBySomebodyElseAsync(dataRoot, ct);
        }

        if (KeptIn(dataRoot).FirstOrDefault(path => !Posix.CanUse(path)) is { } closed)
        {
            throw await OwnedBySomebodyElseAsync(closed, ct);
        }
    }

    private static IEnumerable<string> KeptIn(string dataRoot)
    {
        yield return dataRoot;
        // Installed servers are only read; whoever installs checks that folder.
        foreach (var entry in Directory.EnumerateFileSystemEntries(dataRoot).Where(e => e != Checkout.ServersFolder))
        {
            yield return entry;
            foreach (var inner in Directory.Exists(entry) ? Directory.EnumerateFileSystemEntries(entry) : [])
            {
                yield return inner;
            }
        }
    }

    /// <summary>One installation at a time, across processes.</summary>
    public static async Task<FileStream> LockAsync(string path, Action onWait, CancellationToken ct)
    {
        var hasWaited = false;
        while (true)
        {
            try
            {
                if (PrivateFiles.TryLock(path) is { } held)
                {
                    return held;
                }
            }
            catch (UnauthorizedAccessException)
            {
                throw await OwnedBySomebodyElseAsync(Path.GetDirectoryName(path)!, ct);
            }

            if (!hasWaited)
            {
                hasWaited = true;
                onWait();
            }

            await Task.Delay(s_lockInterval, ct);
        }
    }

    /// <summary>The error for a file or folder that this user cannot use, with its owner and the remedy.</summary>
    public static async Task<InvalidOperationException> OwnedBySomebodyElseAsync(string path, CancellationToken ct)
    {
        // The nearest folder that exists is the one whose owner decides.
        var existing = path;
        while (!Path.Exists(existing) && Path.GetDirectoryName(existing) is { Length: > 0 } parent)
        {
            existing = parent;
        }

        var owner = await OwnerAsync(existing, ct);
        return new InvalidOperationException(
            $"{existing} belongs to {owner.Name}, and {Environment.UserName} cannot use it: the checkout was run as another user before. "
            + $"Run as {owner.Name} again, or take it over: {TakeOver(existing)}");
    }

    private static string TakeOver(string path)
    {
        // A build by that user has left its outputs, too.
        var data = Path.Combine(Checkout.Folder, ".data");
        return path == data || path.StartsWith(data + '/', StringComparison.Ordinal)
            ? $"cd '{Checkout.Folder}' && sudo chown -R \"$USER\" .data */bin */obj"
            : $"sudo chown -R \"$USER\" '{path}'";
    }

    public static async Task<(int Id, string Name)> OwnerAsync(string path, CancellationToken ct)
    {
        string[] format = OperatingSystem.IsMacOS() ? ["-f", "%u %Su"] : ["-c", "%u %U"];
        var stat = await ShortCommand.RunAsync("stat", [.. format, path], ct);
        var parts = stat.Output.Trim().Split(' ');
        return stat.ExitCode == 0 && parts.Length == 2 && int.TryParse(parts[0], CultureInfo.InvariantCulture, out var id)
            ? (id, parts[1])
            : (-1, "another user");
    }
}
