using System.Reflection;
using System.Text.Json;
using Aspire.Hosting;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>The source folder this library was built from: the pinned servers are listed there and kept below <c>.data</c>.</summary>
internal static class Checkout
{
    public static string Folder { get; } = typeof(Checkout).Assembly.GetCustomAttributes<AssemblyMetadataAttribute>()
        .First(attribute => attribute.Key == "checkoutdirectory").Value!.TrimEnd('/');

    public static string ServersFolder { get; } = Path.Combine(Folder, ".data", "servers");
}

/// <summary>Files and folders for their owner's eyes only, from the moment they exist.</summary>
internal static class PrivateFiles
{
    public static void CreateFolder(string path) =>
        Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);

    public static void Write(string path, string text)
    {
        File.Delete(path);
        var options = new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using var writer = new StreamWriter(path, options);
        writer.Write(text);
    }

    /// <summary>Null when another process has it. The lock ends with the process, however that ends; the file stays.</summary>
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

/// <summary>
/// A small file of names and values that several hosts read and write: each change is made under a lock and replaces the file
/// as a whole.
/// </summary>
internal sealed class KeptValues(string path)
{
    private static readonly JsonSerializerOptions s_indented = new() { WriteIndented = true };

    public T Change<T>(Func<Dictionary<string, string>, T> change)
    {
        PrivateFiles.CreateFolder(Path.GetDirectoryName(path)!);
        using var held = Lock();
        var values = Read();
        var before = new Dictionary<string, string>(values);
        var result = change(values);
        if (values.Count != before.Count || values.Except(before).Any())
        {
            var temporary = $"{path}.{Environment.ProcessId}.tmp";
            PrivateFiles.Write(temporary, JsonSerializer.Serialize(values, s_indented));
            File.Move(temporary, path, overwrite: true);
        }

        return result;
    }

    public Dictionary<string, string> Read()
    {
        try
        {
            return File.Exists(path) ? JsonSerializer.Deserialize<Dictionary<string, string>>(File.ReadAllText(path)) ?? [] : [];
        }
        catch (JsonException e)
        {
            throw new DistributedApplicationException($"{path} cannot be read: {e.Message} Repair or delete it.", e);
        }
    }

    private FileStream Lock()
    {
        for (var attempt = 0; attempt < 250; attempt++)
        {
            if (PrivateFiles.TryLock(path + ".lock") is { } held)
            {
                return held;
            }

            Task.Delay(20).Wait();
        }

        throw new DistributedApplicationException($"{path}.lock has been held by another process for 5 seconds.");
    }
}

/// <summary>Secrets made on the first run. Tests read those that a kept data folder needs, and keep none.</summary>
internal sealed class SecretStore(string dataFolder, bool isTesting)
{
    private readonly KeptValues _file = new(Path.Combine(dataFolder, "secrets.json"));

    public string GetOrAdd(string key, Func<string> generate) =>
        isTesting
            ? _file.Read().GetValueOrDefault(key) ?? generate()
            : _file.Change(values => values.TryGetValue(key, out var value) ? value : values[key] = generate());
}
