namespace Ariya.Tests.HostingLocal.Processes;

/// <summary>A folder that only this user can enter, which is how .NET makes temporary folders; it goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ariya-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void WriteScript(string name, string script)
    {
        File.WriteAllText(this[name], $"#!/bin/sh\n{script}\n");
        SetMode(this[name], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void OpenToEveryUser()
    {
        const UnixFileMode own = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;
        SetMode(Path, own | UnixFileMode.GroupRead | UnixFileMode.GroupExecute | UnixFileMode.OtherRead | UnixFileMode.OtherExecute);
    }

    public void MakeReadOnly() => SetMode(Path, UnixFileMode.UserRead | UnixFileMode.UserExecute);

    public void Dispose()
    {
        // Or an ordinary user could not empty a folder that was made read-only.
        SetMode(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        Directory.Delete(Path, recursive: true);
    }

    private static void SetMode(string path, UnixFileMode mode)
    {
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException();
        }

        File.SetUnixFileMode(path, mode);
    }
}
