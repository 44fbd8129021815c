using System.Diagnostics;
using Ariya.Benchmarks.Measuring;

namespace Ariya.Benchmarks.Load;

/// <summary>Connections each of which asks again as soon as it is answered: for how much can be done, not for how long one waits.</summary>
internal sealed class ClosedLoop : IDisposable
{
    private readonly HttpConnection[] _connections;

    private ClosedLoop(HttpConnection[] connections) => _connections = connections;

    public static async Task<ClosedLoop> OpenAsync(int port, int connections) =>
        new(await Task.WhenAll(Enumerable.Range(0, connections).Select(_ => HttpConnection.OpenAsync(port))));

    /// <param name="length">No request is begun after it.</param>
    /// <param name="next">The bytes of the next request of a connection.</param>
    /// <param name="check">Sees every answer; a failure of it ends the run.</param>
    /// <returns>Answers a second.</returns>
    public async Task<double> RunAsync(TimeSpan length, Func<int, ReadOnlyMemory<byte>> next, Action<int, HttpReply> check)
    {
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
        return counts.Sum() / Stopwatch.GetElapsedTime(started).TotalSeconds;
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
}
