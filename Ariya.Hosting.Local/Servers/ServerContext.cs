namespace Ariya.Hosting.Local.Servers;

/// <summary>What a container would have been given, for a server that runs as a process instead.</summary>
internal sealed record ServerContext
{
    public required string ResourceName { get; init; }

    public required string Image { get; init; }

    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    public required IReadOnlyList<string> Arguments { get; init; }

    /// <summary>The port inside the container (5432, 6379, …) and the port on 127.0.0.1 that takes its place.</summary>
    public required IReadOnlyDictionary<int, int> Ports { get; init; }

    /// <summary>The folder is made when it is missing.</summary>
    public required string DataDirectory { get; init; }

    /// <summary>False for data that nobody reads after this run: durability is traded for speed.</summary>
    public required bool IsPersistent { get; init; }

    /// <summary>Progress and console lines; true for standard error.</summary>
    public required Action<string, bool> Log { get; init; }
}
