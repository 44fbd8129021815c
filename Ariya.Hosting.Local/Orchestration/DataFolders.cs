using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>
/// The data folder of each server: under <c>.data/volumes</c> and kept if it has a volume, else under a temporary folder of this
/// run that goes with it.
/// </summary>
internal sealed class DataFolders(IConfiguration configuration) : IDisposable
{
    private const string RunFolderPrefix = "ariya-run-";

    private readonly Lock _gate = new();
    private readonly List<FileStream> _volumeLocks = [];
    private string? _runFolder;
    private FileStream? _runLock;

    /// <summary>What is kept from run to run: volumes, secrets, ports. <c>AppHost:DataDirectory</c> names another place.</summary>
    public string Root { get; } = RootOf(configuration);

    public static string RootOf(IConfiguration configuration) =>
        Path.GetFullPath(configuration["AppHost:DataDirectory"] ?? Path.Combine(Checkout.Folder, ".data"));

    public static bool IsKept(IResource resource) => resource.Has<VolumeAnnotation>();

    public string Of(IResource resource) => IsKept(resource) ? VolumeOf(resource) : Path.Combine(RunFolder(), resource.Name);

    /// <summary>Two servers on one folder would destroy it.</summary>
    public void LockVolume(IResource resource)
    {
        var folder = VolumeOf(resource);
        PrivateFiles.CreateFolder(Path.GetDirectoryName(folder)!);
        _volumeLocks.Add(PrivateFiles.TryLock(folder + ".lock") ?? throw new DistributedApplicationException(
            $"The data of '{resource.Name}' ({folder}) is in use by another host of this checkout. Stop that one,"
            + " or start this one without volumes: UseVolumes=false."));
    }

    public void DeleteRunFolder()
    {
        lock (_gate)
        {
            if (_runFolder is not null)
            {
                _runLock?.Dispose();
                Delete(_runFolder);
                _runFolder = null;
            }
        }
    }

    public void Dispose()
    {
        DeleteRunFolder();
        _volumeLocks.ForEach(held => held.Dispose());
    }

    private string VolumeOf(IResource resource) =>
        Path.Combine(Root, "volumes", resource.Last<VolumeAnnotation>()!.Name ?? resource.Name);

    private string RunFolder()
    {
        lock (_gate)
        {
            if (_runFolder is null)
            {
                DeleteAbandonedRunFolders();
                _runFolder = Directory.CreateTempSubdirectory(RunFolderPrefix).FullName;
                _runLock = PrivateFiles.TryLock(Path.Combine(_runFolder, ".lock"));
            }

            return _runFolder;
        }
    }

    /// <summary>A host that was killed could not delete its folder; nobody holds the lock in it any more.</summary>
    private static void DeleteAbandonedRunFolders()
    {
        foreach (var folder in Directory.EnumerateDirectories(Path.GetTempPath(), RunFolderPrefix + "*"))
        {
            var lockFile = Path.Combine(folder, ".lock");
            try
            {
                using var held = File.Exists(lockFile) ? PrivateFiles.TryLock(lockFile) : null;
                if (held is not null)
                {
                    Delete(folder);
                }
            }
            catch (UnauthorizedAccessException)
            {
                // Another user's.
            }
        }
    }

    private static void Delete(string folder)
    {
        try
        {
            Directory.Delete(folder, recursive: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next host tries again.
        }
    }
}
