namespace Ariya.Tests.HostingLocal.Processes;

/// <summary>A folder that only this user can enter, which is how .NET makes temporary folders; it goes with the test.</summary>
internal sealed class TemporaryFolder : IDisposable
{
    public string Path { get; } = Directory.CreateTempSubdirectory("ariya-test-").FullName;

    public string this[string name] => System.IO.Path.Combine(Path, name);

    public void WriteScript(string name, string script)
    {
        File.WriteAllText(this[name], $"#!/bin/sh\n{script}\n");
        if (OperatingSystem.IsWindows())
        {
            throw new PlatformNotSupportedException();
        }

        File.SetUnixFileMode(this[name], UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    public void Dispose()
    {
        Directory.Delete(Path, recursive: true);
    }
}
