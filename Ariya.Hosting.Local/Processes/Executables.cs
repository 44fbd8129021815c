namespace Ariya.Hosting.Local.Processes;

internal static class Executables
{
    /// <summary>The path of a command on this process's PATH.</summary>
    public static string? Find(string name)
    {
        return (Environment.GetEnvironmentVariable("PATH") ?? "/usr/local/bin:/usr/bin:/bin")
            .Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
            .Select(folder => Path.Combine(folder, name))
            .FirstOrDefault(IsExecutable);
    }

    /// <summary>The `dotnet` that runs this process, so that children get the same runtime.</summary>
    public static string Dotnet()
    {
        string?[] candidates =
        [
            Environment.ProcessPath is { } path && Path.GetFileNameWithoutExtension(path) == "dotnet" ? path : null,
            Environment.GetEnvironmentVariable("DOTNET_HOST_PATH"),
            Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } root ? Path.Combine(root, "dotnet") : null,
            Find("dotnet"),
        ];
        return candidates.FirstOrDefault(candidate => candidate is not null && IsExecutable(candidate))
            ?? throw new FileNotFoundException("The command `dotnet` is not on PATH.");
    }

    public static bool IsExecutable(string path)
    {
        const UnixFileMode anyExecute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(path) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(path) & anyExecute) != 0);
    }
}
