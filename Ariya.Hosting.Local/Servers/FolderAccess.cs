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

    /// <summary>The error for a folder that this user cannot use, with its owner and the remedy.</summary>
    public static async Task<InvalidOperationException> OwnedBySomebodyElseAsync(string folder, CancellationToken ct)
    {
        // The nearest folder that exists is the one whose owner decides.
        var existing = folder;
        while (!Directory.Exists(existing) && Path.GetDirectoryName(existing) is { Length: > 0 } parent)
        {
            existing = parent;
        }

        var owner = await OwnerAsync(existing, ct);
        return new InvalidOperationException(
            $"{existing} belongs to {owner.Name}, and {Environment.UserName} cannot use it: the checkout was run as another user before. "
            + $"Run as {owner.Name} again, or remove the folder (it is made anew, its data is lost), or take it over with: "
            + $"sudo chown -R {Environment.UserName} '{existing}'");
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
