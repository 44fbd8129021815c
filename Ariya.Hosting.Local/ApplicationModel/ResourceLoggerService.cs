using System.Runtime.CompilerServices;
using System.Threading.Channels;

namespace Aspire.Hosting.ApplicationModel;

public readonly record struct LogLine(int LineNumber, string Content, bool IsErrorMessage)
{
    /// <summary>The host's own word on how it prepares the resource; the resource itself has written the others.</summary>
    internal bool IsProgress { get; init; }
}

/// <summary>The console of every resource: its last 2,000 lines, and every new one for those who watch.</summary>
public class ResourceLoggerService
{
    internal const int KeptLines = 2000;

    private readonly Lock _gate = new();
    private readonly Dictionary<string, ResourceConsole> _consoles = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The lines kept and every new one, until the enumeration is cancelled with <c>WithCancellation</c>.</summary>
    public IAsyncEnumerable<IReadOnlyList<LogLine>> WatchAsync(IResource resource) => LinesAsync(resource.Name);

    private async IAsyncEnumerable<IReadOnlyList<LogLine>> LinesAsync(
        string resourceName, [EnumeratorCancellation] CancellationToken cancellationToken = default)
    {
        var channel = Channel.CreateBounded<LogLine>(
            new BoundedChannelOptions(KeptLines) { FullMode = BoundedChannelFullMode.DropOldest });
        var watchers = Start(resourceName, channel);
        try
        {
            while (await channel.Reader.WaitToReadAsync(cancellationToken))
            {
                var lines = new List<LogLine>();
                while (channel.Reader.TryRead(out var line))
                {
                    lines.Add(line);
                }

                yield return lines;
            }
        }
        finally
        {
            lock (_gate)
            {
                watchers.Remove(channel);
            }
        }
    }

    internal void Append(string resourceName, string content, bool isError, bool isProgress = false)
    {
        lock (_gate)
        {
            var console = Console(resourceName);
            foreach (var text in content.Split('\n'))
            {
                var line = new LogLine(++console.Count, text.TrimEnd('\r'), isError) { IsProgress = isProgress };
                console.Lines.Enqueue(line);
                if (console.Lines.Count > KeptLines)
                {
                    console.Lines.Dequeue();
                }

                console.Watchers.ForEach(w => w.Writer.TryWrite(line));
            }
        }
    }

    internal IReadOnlyList<string> LastLines(string resourceName, int count)
    {
        lock (_gate)
        {
            return [.. Console(resourceName).Lines.TakeLast(count).Select(l => l.Content)];
        }
    }

    private List<Channel<LogLine>> Start(string resourceName, Channel<LogLine> watcher)
    {
        lock (_gate)
        {
            var console = Console(resourceName);
            foreach (var line in console.Lines)
            {
                watcher.Writer.TryWrite(line);
            }

            console.Watchers.Add(watcher);
            return console.Watchers;
        }
    }

    private ResourceConsole Console(string resourceName)
    {
        if (!_consoles.TryGetValue(resourceName, out var console))
        {
            _consoles[resourceName] = console = new ResourceConsole();
        }

        return console;
    }

    private sealed class ResourceConsole
    {
        public int Count { get; set; }
        public Queue<LogLine> Lines { get; } = [];
        public List<Channel<LogLine>> Watchers { get; } = [];
    }
}
