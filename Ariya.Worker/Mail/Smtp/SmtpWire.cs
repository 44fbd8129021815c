using System.Globalization;
using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Ariya.Worker.Mail.Smtp;

/// <summary>Commands and replies on a socket: one write a command, bounded lines, a time limit on each exchange.</summary>
internal sealed class SmtpWire : IAsyncDisposable
{
    private const int MaxLine = 8192;
    private const int MaxLines = 128;

    private readonly byte[] _buffer = new byte[MaxLine];
    private readonly Socket _socket;
    private Stream _stream;
    private int _start;
    private int _end;

    private SmtpWire(Socket socket)
    {
        _socket = socket;
        _stream = new NetworkStream(socket, ownsSocket: true);
    }

    public static async Task<SmtpWire> ConnectAsync(SmtpSettings settings, CancellationToken cancellationToken)
    {
        using var limit = Limit(settings.CommandTimeout, cancellationToken);
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(settings.Host, settings.Port, limit.Token);
            var wire = new SmtpWire(socket);
            if (settings.Security == SmtpSecurity.Implicit)
            {
                await wire.StartTlsAsync(settings, cancellationToken);
            }

            return wire;
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }

    /// <summary>Turns to TLS; the certificate must be valid for the host.</summary>
    public async Task StartTlsAsync(SmtpSettings settings, CancellationToken cancellationToken)
    {
        if (_start != _end)
        {
            // Bytes that came before the handshake would be read as if they had come under TLS.
            throw new SmtpRelayException("the relay sent more than its answer to STARTTLS");
        }

        using var limit = Limit(settings.CommandTimeout, cancellationToken);
        var tls = new SslStream(_stream);
        _stream = tls;
        await tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = settings.Host }, limit.Token);
    }

    public async Task<SmtpReply> CommandAsync(string command, TimeSpan timeout, CancellationToken cancellationToken)
    {
        await WriteAsync([command], timeout, cancellationToken);
        return await ReadAsync(timeout, cancellationToken);
    }

    /// <summary>Sends commands in one write; the caller reads as many replies.</summary>
    public async Task WriteAsync(string[] commands, TimeSpan timeout, CancellationToken cancellationToken)
    {
        if (commands.Any(command => command.AsSpan().ContainsAny('\r', '\n', '\0')))
        {
            throw new SmtpRelayException("a command of several lines is not sent");
        }

        if (_start != _end)
        {
            // Taken for the answer to this command, it would settle one mail with another's verdict.
            throw new SmtpRelayException("the relay answered more than it was asked");
        }

        using var limit = Limit(timeout, cancellationToken);
        await _stream.WriteAsync(Encoding.UTF8.GetBytes(string.Concat(commands.Select(command => command + "\r\n"))), limit.Token);
    }

    /// <summary>Sends a message whose lines end in CRLF, dots doubled (RFC 5321 section 4.5.2), with the dot that ends it.</summary>
    public async Task WriteContentAsync(string message, TimeSpan timeout, CancellationToken cancellationToken)
    {
        var stuffed = message.Replace("\r\n.", "\r\n..", StringComparison.Ordinal);
        // One write: message and dot in two would wait for a delayed acknowledgement.
        var bytes = Encoding.UTF8.GetBytes($"{(stuffed.StartsWith('.') ? "." : "")}{stuffed}\r\n.\r\n");
        using var limit = Limit(timeout, cancellationToken);
        await _stream.WriteAsync(bytes, limit.Token);
    }

    public async ValueTask DisposeAsync()
    {
        await _stream.DisposeAsync();
        _socket.Dispose();
    }

    public async Task<SmtpReply> ReadAsync(TimeSpan timeout, CancellationToken cancellationToken)
    {
        using var limit = Limit(timeout, cancellationToken);
        var lines = new List<string>();
        while (lines.Count < MaxLines)
        {
            var line = await ReadLineAsync(limit.Token);
            if (line.Length < 3 || !int.TryParse(line.AsSpan(0, 3), NumberStyles.None, CultureInfo.InvariantCulture, out var code)
                || code is < 200 or >= 600 || (line.Length > 3 && line[3] is not (' ' or '-')))
            {
                throw new SmtpRelayException("the relay sent something that is not an SMTP reply");
            }

            lines.Add(line.Length > 4 ? line[4..] : "");
            if (line.Length == 3 || line[3] == ' ')
            {
                return new SmtpReply(code, lines);
            }
        }

        throw new SmtpRelayException("the relay's reply has too many lines");
    }

    private async Task<string> ReadLineAsync(CancellationToken cancellationToken)
    {
        while (true)
        {
            var end = _buffer.AsSpan(_start, _end - _start).IndexOf((byte)'\n');
            if (end >= 0)
            {
                // Replies are kept and shown: no control character of a relay's goes further.
                var line = string.Concat(Encoding.UTF8.GetString(_buffer, _start, end).Where(letter => !char.IsControl(letter)));
                _start += end + 1;
                return line;
            }

            _buffer.AsSpan(_start, _end - _start).CopyTo(_buffer);
            (_start, _end) = (0, _end - _start);
            if (_end == _buffer.Length)
            {
                throw new SmtpRelayException("the relay's reply has too long a line");
            }

            var read = await _stream.ReadAsync(_buffer.AsMemory(_end), cancellationToken);
            _end += read > 0 ? read : throw new IOException("The relay closed the connection.");
        }
    }

    private static CancellationTokenSource Limit(TimeSpan timeout, CancellationToken cancellationToken)
    {
        var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        return limit;
    }
}
