namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// A file that only its owner reads, from the moment it exists: a password on a command line is there for every user to see.
/// </summary>
internal static class SecretFile
{
    public static async Task WriteAsync(string path, string text, CancellationToken ct)
    {
        File.Delete(path);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        await using var writer = new StreamWriter(path, options);
        await writer.WriteAsync(text.AsMemory(), ct);
    }
}
