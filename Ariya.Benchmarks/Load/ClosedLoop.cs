using System.Diagnostics;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Load;

/// <summary>Connections each of which asks again as soon as it is answered: for how much can be done, not for how long one waits.</summary>
internal sealed class ClosedLoop : IDisposable
{
    // The product closes connections that nobody used for 130 s, as long as another comparison may take.
    private static readonly TimeSpan s_idle = TimeSpan.FromMinutes(1);

    private readonly int _port;
    private HttpConnection[] _connections;
    private long _usedAt = Stopwatch.GetTimestamp();

    private ClosedLoop(int port, HttpConnection[] connections) => (_port, _connections) = (port, connections);

    public static async Task<ClosedLoop> OpenAsync(int port, int connections) => new(port, await ConnectAsync(port, connections));

    /// <param name="length">No request is begun after it.</param>
    /// <param name="next">The bytes of the next request of a connection.</param>
    /// <param name="check">Sees every answer; a failure of it ends the run.</param>
    /// <returns>Answers a second, and how many there were.</returns>
    public async Task<(double Rate, long Done)> RunAsync(TimeSpan length, Func<int, ReadOnlyMemory<byte>> next, Action<int, HttpReply> check)
    {
        if (Stopwatch.GetElapsedTime(_usedAt) > s_idle)
        {
            Dispose();
            _connections = await ConnectAsync(_port, _connections.Length);
        }

        var started = Stopwatch.GetTimestamp();
        var counts = await Task.WhenAll(_connections.Select((connection, index) => Task.Run(async () =>
        {
            var count = 0;
            for (; Stopwatch.GetElapsedTime(started) < length; count++)
            {
                check(index, await connection.SendAsync(next(index)));
            }

            return count;
        })));
        _usedAt = Stopwatch.GetTimestamp();
        var done = counts.Sum();
        return (done / Stopwatch.GetElapsedTime(started, _usedAt).TotalSeconds, done);
    }

    /// <summary>For <see cref="RunAsync"/>.</summary>
    public static void Expect(int status, HttpReply reply)
    {
        if (reply.Status != status)
        {
            throw new WrongWorkException($"{reply.Status} instead of {status}: {reply.Text}");
        }
    }

    public void Dispose() => Array.ForEach(_connections, connection => connection.Dispose());

    private static Task<HttpConnection[]> ConnectAsync(int port, int connections) =>
        Task.WhenAll(Enumerable.Range(0, connections).Select(_ => HttpConnection.OpenAsync(port)));
}
