using System.Text.Json;

namespace Ariya.Hosting.Local.Orchestration;

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
            Write(values);
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
            throw new Aspire.Hosting.DistributedApplicationException($"{path} cannot be read: {e.Message} Repair or delete it.", e);
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

        throw new Aspire.Hosting.DistributedApplicationException($"{path}.lock has been held by another process for 5 seconds.");
    }

    private void Write(Dictionary<string, string> values)
    {
        var temporary = $"{path}.{Environment.ProcessId}.tmp";
        var forItsOwner = new FileStreamOptions
        {
            Mode = FileMode.Create,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        };
        using (var stream = new FileStream(temporary, forItsOwner))
        {
            JsonSerializer.Serialize(stream, values, s_indented);
        }

        File.Move(temporary, path, overwrite: true);
    }
}

/// <summary>Secrets made on the first run. Tests read those that a kept data folder needs, and keep none.</summary>
internal sealed class SecretStore(bool isTesting)
{
    private readonly KeptValues _file = new(Path.Combine(PrivateFiles.DataFolder, "secrets.json"));

    public string GetOrAdd(string key, Func<string> generate)
    {
        if (isTesting)
        {
            return _file.Read().GetValueOrDefault(key) ?? generate();
        }

        return _file.Change(values =>
        {
            if (!values.TryGetValue(key, out var value))
            {
                values[key] = value = generate();
            }

            return value;
        });
    }
}
