using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// Says plainly what is wrong when root and an ordinary user, or two users, have run the same checkout: otherwise the first sign
/// is a permission error somewhere inside npm or PostgreSQL.
/// </summary>
internal static class FolderAccess
{
    /// <summary>Makes the folder when it is missing and checks that this user can write into it.</summary>
    public static async Task EnsureWritableAsync(string folder, CancellationToken ct)
    {
        try
        {
            Directory.CreateDirectory(folder);
            var probe = Path.Combine(folder, $".probe-{Guid.CreateVersion7():N}");
            await File.WriteAllTextAsync(probe, "", ct);
            File.Delete(probe);
        }
        catch (Exception exception) when (exception is UnauthorizedAccessException or IOException)
        {
            throw await OwnedBySomebodyElseAsync(folder, exception, ct);
        }
    }

    /// <summary>The error for a folder that this user cannot use, with its owner and the remedy.</summary>
    public static async Task<InvalidOperationException> OwnedBySomebodyElseAsync(string folder, Exception? cause, CancellationToken ct)
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
            + $"sudo chown -R {Environment.UserName} '{existing}'",
            cause);
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
