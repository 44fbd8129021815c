using System.Collections.Concurrent;
using System.Diagnostics;

namespace Ariya.Tests.HostingLocal.Processes;

/// <summary>Lines that a process has written, and the wait for one of them.</summary>
internal sealed class Lines
{
    private static readonly TimeSpan s_deadline = TimeSpan.FromSeconds(60);

    private readonly ConcurrentQueue<string> _lines = [];

    public IReadOnlyCollection<string> All => _lines;

    public void Add(string? line)
    {
        if (line is not null)
        {
            _lines.Enqueue(line);
        }
    }

    public async Task<string> ContainingAsync(string text)
    {
        string? found = null;
        await UntilAsync(
            () => (found = _lines.FirstOrDefault(line => line.Contains(text))) is not null,
            () => $"There is no line with '{text}' in:\n{this}");
        return found!;
    }

    public override string ToString() => string.Join('\n', _lines);

    public static async Task UntilAsync(Func<bool> condition, Func<string> complaint, TimeSpan? deadline = null)
    {
        var waited = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(waited.Elapsed < (deadline ?? s_deadline), complaint());
            await Task.Delay(20);
        }
    }
}
