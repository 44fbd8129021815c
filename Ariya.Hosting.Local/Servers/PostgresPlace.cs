using System.Security.Cryptography;
using System.Text;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// Where PostgreSQL and its data lie. That is a question for root only: the server refuses to be root, and the user it runs as
/// instead may not be able to reach a checkout below a private folder.
/// </summary>
internal sealed record PostgresPlace(PostgresBinaries Binaries, string Folder, UnprivilegedWay Way)
{
    /// <summary>Runs a command of this installation as the user that the server will be.</summary>
    public Task<ShortCommand.Result> RunAsync(string fileName, IReadOnlyList<string> arguments, CancellationToken ct)
    {
        string[] command = [.. UnprivilegedUser.Prefix(Way), fileName, .. arguments];
        return ShortCommand.RunAsync(command[0], command[1..], ct);
    }

    public static async Task<PostgresPlace> FindAsync(
        PostgresBinaries binaries, string folder, UnprivilegedWay way, Action<string, bool> log, CancellationToken ct)
    {
        await FolderAccess.EnsureWritableAsync(folder, ct);
        var place = new PostgresPlace(binaries, folder, way);
        var user = way == UnprivilegedWay.Nobody ? UnprivilegedUser.NobodyId : Posix.EffectiveUserId;
        if (way == UnprivilegedWay.Nobody && !await place.IsOpenToNobodyAsync(ct))
        {
            place = await CopyAsync(binaries, folder, log, ct);
        }

        await place.EnsureOwnerAsync(user, ct);
        return place;
    }

    private async Task<bool> IsOpenToNobodyAsync(CancellationToken ct)
    {
        // `--version` loads the libraries, which lie beside the binary and may be closed as well.
        var binary = await RunAsync(Binaries.Server, ["--version"], ct);
        var data = await RunAsync("test", ["-x", Folder], ct);
        return binary.ExitCode == 0 && data.ExitCode == 0;
    }

    private async Task EnsureOwnerAsync(int user, CancellationToken ct)
    {
        var owner = await FolderAccess.OwnerAsync(Folder, ct);
        if (owner.Id == user)
        {
            return;
        }

        // Root takes over only what is root's or nobody's: an ordinary user's data stays that user's.
        var chown = Posix.EffectiveUserId == 0 && owner.Id is 0 or UnprivilegedUser.NobodyId
            ? await ShortCommand.RunAsync("chown", ["-R", $"{user}:{user}", Folder], ct)
            : null;
        if (chown is not { ExitCode: 0 })
        {
            throw await FolderAccess.OwnedBySomebodyElseAsync(Folder, ct);
        }
    }

    /// <summary>The last resort: binaries and data below /var/tmp, which every user can reach.</summary>
    private static async Task<PostgresPlace> CopyAsync(
        PostgresBinaries binaries, string folder, Action<string, bool> log, CancellationToken ct)
    {
        var root = $"/var/tmp/ariya-{Key(Checkout.Folder)}";
        Directory.CreateDirectory(root);
        // Anybody can make a folder there: one that is not root's, or a link, is not used.
        if (new DirectoryInfo(root).LinkTarget is not null || (await FolderAccess.OwnerAsync(root, ct)).Id != 0)
        {
            throw await FolderAccess.OwnedBySomebodyElseAsync(root, ct);
        }

        var copy = Path.Combine(root, $"postgres-{Key(binaries.Folder)}");
        using (await FolderAccess.LockAsync(Path.Combine(root, "copy.lock"), () => { }, ct))
        {
            RemoveAbandonedData(root);
            if (!Directory.Exists(copy))
            {
                log($"PostgreSQL does not run as root and cannot be reached by another user: copying it to {copy}.", false);
                var temporary = $"{copy}.tmp";
                await MustAsync("rm", ["-rf", temporary], ct);
                await MustAsync("cp", ["-RP", Path.GetDirectoryName(binaries.Folder)!, temporary], ct);
                await MustAsync("chmod", ["-R", "a+rX", temporary], ct);
                Directory.Move(temporary, copy);
            }
        }

        await MustAsync("chmod", ["0755", root], ct);
        var data = Path.Combine(root, $"data-{Key(folder)}");
        if (!Directory.Exists(data))
        {
            PrivateFiles.CreateFolder(data);
            log($"The data of {folder} is kept in {data}.", false);
        }

        await File.WriteAllTextAsync($"{data}.of", folder, ct);
        return new PostgresPlace(new PostgresBinaries(Path.Combine(copy, "bin")), data, UnprivilegedWay.Nobody);
    }

    /// <summary>Whoever removes a data folder of the checkout does not know of the one that stands in for it here.</summary>
    private static void RemoveAbandonedData(string root)
    {
        foreach (var note in Directory.EnumerateFiles(root, "data-*.of"))
        {
            if (!Directory.Exists(File.ReadAllText(note)))
            {
                var data = note[..^".of".Length];
                if (Directory.Exists(data))
                {
                    Directory.Delete(data, recursive: true);
                }

                File.Delete(note);
            }
        }
    }

    private static async Task MustAsync(string command, string[] arguments, CancellationToken ct)
    {
        var result = await ShortCommand.RunAsync(command, arguments, ct);
        if (result.ExitCode != 0)
        {
            throw new InvalidOperationException($"`{command} {string.Join(' ', arguments)}` failed: {result.LastLines(3)}");
        }
    }

    private static string Key(string path) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(path)))[..12];
}
