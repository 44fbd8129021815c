namespace Ariya.Hosting.Local.Servers;

/// <summary>npm and the .NET CLI want a home folder; a service account or a container may have none that can be used.</summary>
internal static class ToolEnvironment
{
    /// <summary>The variables to set beside this process's own: none when the home folder can be written to.</summary>
    public static Dictionary<string, string?> For(string serversFolder)
    {
        var home = Environment.GetEnvironmentVariable("HOME");
        if (home is { Length: > 0 } && FolderAccess.CanWrite(home))
        {
            return [];
        }

        var substitute = Path.Combine(serversFolder, "home");
        Directory.CreateDirectory(substitute);
        var variables = new Dictionary<string, string?>
        {
            ["npm_config_cache"] = Path.Combine(substitute, "npm-cache"),
            ["DOTNET_CLI_HOME"] = substitute,
        };
        // A home that can be read keeps its .npmrc and NuGet.Config.
        if (home is not { Length: > 0 } || !CanRead(home))
        {
            variables["HOME"] = substitute;
        }

        return variables;
    }

    private static bool CanRead(string folder)
    {
        try
        {
            return Directory.EnumerateFileSystemEntries(folder).Any() || Directory.Exists(folder);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }
}
