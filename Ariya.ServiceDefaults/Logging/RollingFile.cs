namespace Ariya.ServiceDefaults.Logging;

/// <summary>
/// A file of bounded size. When it is full it becomes <c>name.1.log</c>, that one <c>name.2.log</c> and so on; the oldest goes. A line is
/// there as a whole or not at all, after a full disk and a killed program too.
/// </summary>
internal sealed class RollingFile(LogDirectory directory, string name, LogOptions options) : ILogOutput
{
    private const int LongestLine = 64 * 1024;

    private FileStream? _file;
    private long _length;
    private byte[] _buffer = new byte[LongestLine];

    public int Write(IReadOnlyList<byte[]> lines, int from)
    {
        Open();
        if (_length > 0 && _length + lines[from].Length > options.MaxFileBytes)
        {
            Roll();
        }

        var (count, size) = (0, 0);
        while (from + count < lines.Count && (count == 0 || _length + size + lines[from + count].Length <= options.MaxFileBytes))
        {
            size += lines[from + count++].Length;
        }

        if (_buffer.Length < size)
        {
            _buffer = new byte[size];
        }

        for (var (i, at) = (0, 0); i < count; at += lines[from + i].Length, i++)
        {
            lines[from + i].CopyTo(_buffer, at);
        }

        try
        {
            RandomAccess.Write(_file!.SafeFileHandle, _buffer.AsSpan(0, size), _length);
        }
        catch (IOException)
        {
            Cut();
            throw;
        }

        _length += size;
        return count;
    }

    public byte[] Note(long dropped) => JsonLine.OfDropped(dropped);

    /// <summary>Opens it, anew when it is not where it was: its directory was removed, or another volume is mounted there.</summary>
    private void Open()
    {
        var path = PathOf(0);
        if (_file is not null && File.Exists(path))
        {
            return;
        }

        _file?.Dispose();
        _file = null;
        directory.Hold();
        var file = new FileStream(path, LogDirectory.ForOwner(FileMode.OpenOrCreate, FileShare.ReadWrite | FileShare.Delete));
        try
        {
            _length = WholeLines(file);
            if (_length < file.Length)
            {
                RandomAccess.SetLength(file.SafeFileHandle, _length);
            }

            RemoveBeyond(options.MaxFiles);
        }
        catch
        {
            file.Dispose();
            throw;
        }

        _file = file;
    }

    private void Roll()
    {
        _file!.Dispose();
        _file = null;
        RemoveBeyond(options.MaxFiles - 1);
        for (var number = options.MaxFiles - 2; number >= 0; number--)
        {
            if (File.Exists(PathOf(number)))
            {
                File.Move(PathOf(number), PathOf(number + 1), overwrite: true);
            }
        }

        Open();
    }

    // The number of files may have been more when the program last ran.
    private void RemoveBeyond(int count)
    {
        foreach (var path in Directory.EnumerateFiles(directory.Path, $"{name}.*.log"))
        {
            var number = Path.GetFileName(path).AsSpan(name.Length + 1);
            if (int.TryParse(number[..^".log".Length], out var parsed) && parsed >= count)
            {
                File.Delete(path);
            }
        }
    }

    // A line that was being written when the disk was full, or the program was killed, has no end.
    private static long WholeLines(FileStream file)
    {
        var length = file.Length;
        var end = new byte[(int)Math.Min(length, LongestLine)];
        var read = RandomAccess.Read(file.SafeFileHandle, end, length - end.Length);
        return length - end.Length + end.AsSpan(0, read).LastIndexOf((byte)'\n') + 1;
    }

    private void Cut()
    {
        try
        {
            RandomAccess.SetLength(_file!.SafeFileHandle, _length);
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            // The next write begins at the same place, or at the end of the last whole line when the file is opened again.
        }
    }

    private string PathOf(int number) => Path.Combine(directory.Path, number == 0 ? $"{name}.log" : $"{name}.{number}.log");
}

/// <summary>A directory for the files of one process. Another one that names it waits until this one ends, and says so.</summary>
internal sealed class LogDirectory(string path) : IDisposable
{
    private readonly Lock _gate = new();
    private FileStream? _held;

    public string Path { get; } = System.IO.Path.GetFullPath(path);

    /// <exception cref="IOException">It is another process's, or cannot be made.</exception>
    public void Hold()
    {
        lock (_gate)
        {
            var lockFile = System.IO.Path.Combine(Path, ".lock");
            if (_held is not null && File.Exists(lockFile))
            {
                return;
            }

            _held?.Dispose();
            _held = null;
            if (OperatingSystem.IsWindows())
            {
                Directory.CreateDirectory(Path);
            }
            else
            {
                Directory.CreateDirectory(Path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute | UnixFileMode.GroupRead | UnixFileMode.GroupExecute);
            }

            _held = new FileStream(lockFile, ForOwner(FileMode.OpenOrCreate, FileShare.None));
        }
    }

    /// <summary>Written by the owner, read by the group, which a program that ships logs can be in.</summary>
    public static FileStreamOptions ForOwner(FileMode mode, FileShare share)
    {
        var options = new FileStreamOptions { Mode = mode, Access = FileAccess.ReadWrite, Share = share, BufferSize = 0 };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead;
        }

        return options;
    }

    public void Dispose()
    {
        lock (_gate)
        {
            _held?.Dispose();
            _held = null;
        }
    }
}
