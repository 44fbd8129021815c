namespace Ariya.Hosting.Local.Servers;

/// <summary>
/// One installation at a time, across processes. The lock is the kernel's and goes with the process that holds it; the file stays.
/// </summary>
internal sealed class InstallLock : IDisposable
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMilliseconds(250);

    private readonly FileStream _file;

    private InstallLock(FileStream file)
    {
        _file = file;
    }

    public static async Task<InstallLock> AcquireAsync(string path, Action onWait, CancellationToken ct)
    {
        for (var attempt = 0; ; attempt++)
        {
            ct.ThrowIfCancellationRequested();
            try
            {
                return new InstallLock(new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None));
            }
            catch (UnauthorizedAccessException exception)
            {
                throw await FolderAccess.OwnedBySomebodyElseAsync(Path.GetDirectoryName(path)!, exception, ct);
            }
            catch (IOException)
            {
                if (attempt == 0)
                {
                    onWait();
                }
            }

            await Task.Delay(s_interval, ct);
        }
    }

    public void Dispose()
    {
        _file.Dispose();
    }
}
