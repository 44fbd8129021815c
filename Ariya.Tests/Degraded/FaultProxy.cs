using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Ariya.Tests.Degraded;

/// <summary>A way to a server on which bytes are late, lost, or cut off at a chosen moment.</summary>
internal sealed class FaultProxy : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly ConcurrentDictionary<TcpClient, bool> _clients = [];
    private readonly CancellationTokenSource _end = new();
    private readonly int _target;

    private FaultProxy(int target) => _target = target;

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>How late every piece arrives, in both directions.</summary>
    public TimeSpan Latency { get; set; }

    /// <summary>Connections of today take bytes and give none, for ever; new ones too while this is set.</summary>
    public bool IsBlackHole { get; set; }

    /// <summary>Bytes on the way to the server after which the client is cut off; the server still gets them.</summary>
    public byte[]? CutAfter { get; set; }

    public static FaultProxy To(int port)
    {
        var proxy = new FaultProxy(port);
        proxy._listener.Start();
        _ = proxy.AcceptAsync();
        return proxy;
    }

    /// <summary>Ends every connection.</summary>
    public void Cut()
    {
        foreach (var client in _clients.Keys)
        {
            client.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        Cut();
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = ServeAsync(await _listener.AcceptTcpClientAsync(_end.Token));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The test is over.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient { NoDelay = true };
        client.NoDelay = true;
        _clients[client] = true;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, _end.Token);
            var connection = new Connection();
            await Task.WhenAny(PumpAsync(client, server, connection, isToServer: true), PumpAsync(server, client, connection, isToServer: false));
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // The server is away.
        }
        finally
        {
            _clients.TryRemove(client, out _);
            client.Close();
        }
    }

    private async Task PumpAsync(TcpClient from, TcpClient to, Connection connection, bool isToServer)
    {
        var buffer = new byte[64 * 1024];
        try
        {
            while (await from.GetStream().ReadAsync(buffer, _end.Token) is > 0 and var read)
            {
                if (connection.IsLost |= IsBlackHole)
                {
                    continue;
                }

                if (Latency > TimeSpan.Zero)
                {
                    await Task.Delay(Latency, _end.Token);
                }

                var isLast = isToServer && CutAfter is { } bytes && buffer.AsSpan(0, read).IndexOf(bytes) >= 0;
                // What is sent arrives; only its answer does not.
                connection.IsLost |= isLast;
                await to.GetStream().WriteAsync(buffer.AsMemory(0, read), _end.Token);
                if (isLast)
                {
                    CutAfter = null;
                    from.Close();
                    to.Client.Shutdown(SocketShutdown.Send);
                    return;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or SocketException or OperationCanceledException or ObjectDisposedException or InvalidOperationException)
        {
            // One side has gone; the other follows.
        }
    }

    private sealed class Connection
    {
        public bool IsLost { get; set; }
    }
}
