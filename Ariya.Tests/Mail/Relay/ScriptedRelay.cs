using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Ariya.Tests.Mail.Relay;

/// <summary>A mail that the relay was handed, whatever it answered.</summary>
internal sealed record HandedMail(int Connection, string From, string Recipient, string Content, string Reply);

/// <summary>An SMTP server on this machine that does at each step what a <see cref="RelayScript"/> says, and keeps every byte.</summary>
internal sealed class ScriptedRelay : IAsyncDisposable
{
    private readonly CancellationTokenSource _stop = new();
    private readonly TcpListener _listener;
    private readonly ConcurrentQueue<RelaySession> _sessions = new();
    private readonly List<Task> _serving = [];
    private readonly Task _accepting;
    private bool _isGone;

    public ScriptedRelay(RelayScript? script = null, int port = 0)
    {
        Script = script ?? new RelayScript();
        _listener = new TcpListener(IPAddress.Loopback, port);
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    /// <summary>A test may change it between mails.</summary>
    public RelayScript Script { get; set; }

    public int Port { get; }

    public IReadOnlyList<RelaySession> Sessions => [.. _sessions];

    public ConcurrentQueue<HandedMail> Handed { get; } = new();

    /// <summary>The mails that were answered with 2yz.</summary>
    public IReadOnlyList<HandedMail> Accepted => [.. Handed.Where(mail => mail.Reply.StartsWith('2'))];

    /// <summary>The commands of all connections, in the order they came.</summary>
    public ConcurrentQueue<string> Commands { get; } = new();

    public async ValueTask DisposeAsync()
    {
        if (_isGone)
        {
            return;
        }

        _isGone = true;
        await _stop.CancelAsync();
        _listener.Stop();
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
                var socket = await _listener.AcceptSocketAsync(_stop.Token);
                // As servers do: two short answers in a row would wait 40 ms for each other.
                socket.NoDelay = true;
                var session = new RelaySession(this, socket, _sessions.Count + 1);
                _sessions.Enqueue(session);
                _serving.Add(ServeAsync(session));
            }
        }
        catch (Exception exception) when (exception is OperationCanceledException or SocketException or InvalidOperationException)
        {
            // The relay is taken away; a listener that was stopped between two connections says that it does not listen.
        }
    }

    private async Task ServeAsync(RelaySession session)
    {
        try
        {
            await session.ServeAsync(_stop.Token);
        }
        catch (Exception exception) when (
            exception is IOException or OperationCanceledException or AuthenticationException or ObjectDisposedException)
        {
            // The other side hung up or turned away from the certificate.
        }
        finally
        {
            await session.DisposeAsync();
        }
    }
}
