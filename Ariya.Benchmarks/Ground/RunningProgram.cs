using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Ariya.Chaos;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Benchmarks.Ground;

/// <summary>One program that runs, and how to talk to it.</summary>
/// <param name="child">The process.</param>
/// <param name="lines">What it said last.</param>
/// <param name="port">Of its HTTP server; 0 when it has none.</param>
internal sealed class RunningProgram(ChildProcess child, LastLines lines, int port) : IAsyncDisposable
{
    private static readonly TimeSpan s_start = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan s_end = TimeSpan.FromSeconds(5);

    public int Port => port;

    public bool HasEnded => child.Exited.IsCompleted;

    /// <summary>Its last lines.</summary>
    public string Said => lines.ToString();

    /// <summary>Stands still, with everything it holds, until it is told to go on.</summary>
    public void Pause() => Signals.Send(child.Id, Signals.Stop);

    public void Continue() => Signals.Send(child.Id, Signals.Continue);

    /// <summary>In memory now, in MB.</summary>
    public double Megabytes
    {
        get
        {
            // The second number of statm: pages in memory.
            var pages = long.Parse(File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{child.Id}/statm")).Split(' ')[1], CultureInfo.InvariantCulture);
            return pages * Environment.SystemPageSize / 1024.0 / 1024.0;
        }
    }

    /// <summary>Until it answers a request below 500. One that does not is ended.</summary>
    public async Task<RunningProgram> AnswersAsync(string path)
    {
        using var client = new HttpClient { BaseAddress = new Uri(string.Create(CultureInfo.InvariantCulture, $"http://127.0.0.1:{port}")) };
        for (var started = Stopwatch.GetTimestamp(); ; await Task.Delay(1))
        {
            if (HasEnded || Stopwatch.GetElapsedTime(started) > s_start)
            {
                await DisposeAsync();
                throw new InvalidOperationException($"A program did not start:\n{lines}");
            }

            try
            {
                using var answer = await client.GetAsync(new Uri(path, UriKind.Relative));
                if ((int)answer.StatusCode < 500)
                {
                    return this;
                }
            }
            catch (HttpRequestException exception) when (exception.InnerException is SocketException or IOException)
            {
                // Not yet.
            }
        }
    }

    public async ValueTask DisposeAsync() => await child.StopAsync(s_end);
}

/// <summary>What a program said last, for whoever has to say why it failed.</summary>
internal sealed class LastLines
{
    private const int Kept = 40;

    private readonly Queue<string> _lines = new();

    public void Add(string line)
    {
        lock (_lines)
        {
            _lines.Enqueue(line);
            if (_lines.Count > Kept)
            {
                _lines.Dequeue();
            }
        }
    }

    public override string ToString()
    {
        lock (_lines)
        {
            return string.Join('\n', _lines);
        }
    }
}
