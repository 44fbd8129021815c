namespace Ariya.Hosting.Local.Processes;

internal sealed record ChildProcessStart
{
    public required string FileName { get; init; }

    public IReadOnlyList<string> Arguments { get; init; } = [];

    public required string WorkingDirectory { get; init; }

    /// <summary>The whole environment of the child: nothing is inherited beside it.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public StopSignal StopSignal { get; init; }

    /// <summary>For servers that refuse to run as root; without effect for everybody else.</summary>
    public bool AsUnprivilegedUser { get; init; }

    /// <summary>One line of console output; true for standard error.</summary>
    public required Action<string, bool> OnLine { get; init; }
}
