using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Ariya.Benchmarks.Load;

/// <summary>
/// A relay that takes everything (RFC 5321 with PIPELINING) and answers what came together a set time later, as over a network. It says how long its answers
/// really waited: timers are late, and a limit computed from the time that was asked for would be too high.
/// </summary>
internal sealed class MailSink : IAsyncDisposable
{
    private readonly Socket _listener = new(SocketType.Stream, ProtocolType.Tcp);
    private readonly CancellationTokenSource _stop = new();
    private readonly Lock _gate = new();
    private readonly Dictionary<string, DateTimeOffset> _mails = [];
    private readonly Task _accepting;
    private readonly List<Task> _serving = [];
    private TaskCompletionSource? _reached;
    private int _target;
    private long _waited;
    private long _bursts;

    public MailSink(TimeSpan delay = default)
    {
        Delay = delay;
        _listener.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        _listener.Listen(64);
        Port = ((IPEndPoint)_listener.LocalEndPoint!).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Before each answer.</summary>
    public TimeSpan Delay { get; }

    /// <summary>How long answers waited on average.</summary>
    public TimeSpan MeanDelay => TimeSpan.FromTicks(Interlocked.Read(ref _waited) / Math.Max(1, Interlocked.Read(ref _bursts)));

    /// <summary>Copies that came beside the first of a Message-ID.</summary>
    public int Doubles { get; private set; }

    /// <summary>Message-IDs, and when the content of the first copy was complete.</summary>
    public Dictionary<string, DateTimeOffset> Taken()
    {
        lock (_gate)
        {
            return _mails.ToDictionary();
        }
    }

    public int Count
    {
        get
        {
            lock (_gate)
            {
                return _mails.Count;
            }
        }
    }

    /// <summary>Forgets what came; ends when so many different mails have come from then on.</summary>
    public Task ExpectAsync(int count)
    {
        lock (_gate)
        {
            _mails.Clear();
            Doubles = 0;
            _target = count;
            (_waited, _bursts) = (0, 0);
            _reached = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            return _reached.Task;
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        await Task.WhenAll(_serving);
        _stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _serving.Add(ServeAsync(await _listener.AcceptAsync(_stop.Token)));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // It is over.
        }
    }

    private async Task ServeAsync(Socket socket)
    {
        using var owned = socket;
        socket.NoDelay = true;
        var buffer = new byte[64 * 1024];
        var (filled, isContent, answer) = (0, false, new MemoryStream());
        try
        {
            await socket.SendAsync("220 sink ready\r\n"u8.ToArray(), _stop.Token);
            while (true)
            {
                if (filled == buffer.Length)
                {
                    Array.Resize(ref buffer, buffer.Length * 2);
                }

                var read = await socket.ReceiveAsync(buffer.AsMemory(filled), _stop.Token);
                if (read == 0)
                {
                    return;
                }

                filled += read;
                answer.SetLength(0);
                var used = Read(buffer.AsSpan(0, filled), ref isContent, answer);
                buffer.AsSpan(used, filled - used).CopyTo(buffer);
                filled -= used;
                if (answer.Length > 0)
                {
                    await WaitAsync();
                    await socket.SendAsync(answer.GetBuffer().AsMemory(0, (int)answer.Length), _stop.Token);
                }
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException)
        {
            // The client hung up, or it is over.
        }
    }

    private async Task WaitAsync()
    {
        if (Delay > TimeSpan.Zero)
        {
            var started = Stopwatch.GetTimestamp();
            await Task.Delay(Delay, _stop.Token);
            Interlocked.Add(ref _waited, Stopwatch.GetElapsedTime(started).Ticks);
            Interlocked.Increment(ref _bursts);
        }
    }

    /// <returns>How many bytes were whole commands or content.</returns>
    private int Read(ReadOnlySpan<byte> received, ref bool isContent, MemoryStream answer)
    {
        var used = 0;
        while (true)
        {
            var rest = received[used..];
            if (isContent)
            {
                var dot = rest.IndexOf("\r\n.\r\n"u8);
                if (dot < 0)
                {
                    return used;
                }

                Took(rest[..dot]);
                isContent = false;
                used += dot + 5;
                answer.Write("250 taken\r\n"u8);
                continue;
            }

            var end = rest.IndexOf("\r\n"u8);
            if (end < 0)
            {
                return used;
            }

            used += end + 2;
            isContent = rest.StartsWith("DATA"u8);
            answer.Write(isContent ? "354 go on\r\n"u8 : rest.StartsWith("EHLO"u8) ? "250-sink\r\n250-PIPELINING\r\n250 8BITMIME\r\n"u8 : rest.StartsWith("QUIT"u8) ? "221 bye\r\n"u8 : "250 ok\r\n"u8);
        }
    }

    private void Took(ReadOnlySpan<byte> content)
    {
        var at = content.IndexOf("Message-ID: <"u8);
        var id = at >= 0 ? content[(at + 13)..] : default;
        var name = System.Text.Encoding.ASCII.GetString(id[..Math.Max(0, id.IndexOf((byte)'@'))]);
        lock (_gate)
        {
            // Who sends without a Message-ID is only counted.
            name = name.Length > 0 ? name : $"{_mails.Count}";
            if (!_mails.TryAdd(name, TimeProvider.System.GetUtcNow()))
            {
                Doubles++;
            }
            else if (_mails.Count == _target)
            {
                _reached?.TrySetResult();
            }
        }
    }
}
