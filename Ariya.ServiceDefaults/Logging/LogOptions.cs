using System.ComponentModel.DataAnnotations;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>Log files, and from when on something counts as slow. docs/logs.md</summary>
internal sealed class LogOptions
{
    public const string Section = "Logs";

    /// <summary>Where the files lie, one process a directory. Without it there are none.</summary>
    public string? Directory { get; set; }

    /// <summary>The largest that a file becomes before it is moved aside.</summary>
    [Range(16 * 1024, 1024L * 1024 * 1024)]
    public long MaxFileBytes { get; set; } = 16 * 1024 * 1024;

    /// <summary>How many files of a name there are, with the one that is written; the oldest goes.</summary>
    [Range(2, 100)]
    public int MaxFiles { get; set; } = 5;

    /// <summary>Requests and statements that take longer are logged; 0 switches that off.</summary>
    [Range(0, 3_600_000)]
    public int SlowQueryMs { get; set; } = 500;
}
