using Ariya.Hosting.Local.Servers;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>Where things are kept: <c>.data/</c> of the checkout, for its owner's eyes only.</summary>
internal static class PrivateFiles
{
    public static string DataFolder { get; } = Path.Combine(Checkout.Folder, ".data");

    public static string CreateFolder(string path)
    {
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        return path;
    }

    /// <summary>Null when another process has it. The lock ends with the process, however that ends.</summary>
    public static FileStream? TryLock(string path)
    {
        try
        {
            return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
    }
}
