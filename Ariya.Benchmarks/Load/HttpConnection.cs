using System.Buffers.Text;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Ariya.Benchmarks.Load;

/// <summary>An answer: its status and its body without the framing.</summary>
internal readonly record struct HttpReply(int Status, byte[] Body)
{
    public string Text => Encoding.UTF8.GetString(Body);
}

/// <summary>
/// One connection, one request at a time (HTTP/1.1). The framework's client takes longer for a request than a bare endpoint does; on a machine that both
/// share it would hide what is measured.
/// </summary>
internal sealed class HttpConnection : IDisposable
{
    private readonly Socket _socket = new(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
    private byte[] _buffer = new byte[16 * 1024];
    private int _filled;

    public static async Task<HttpConnection> OpenAsync(int port)
    {
        var connection = new HttpConnection();
        await connection._socket.ConnectAsync(IPAddress.Loopback, port);
        return connection;
    }

    /// <summary>The bytes of a request; what does not change between requests is made once.</summary>
    public static byte[] Request(string method, string path, string? body = null, string? bearer = null)
    {
        var head = new StringBuilder().Append(method).Append(' ').Append(path).Append(" HTTP/1.1\r\nHost: localhost\r\nUser-Agent: Ariya.Benchmarks\r\n");
        if (bearer is not null)
        {
            head.Append("Authorization: Bearer ").Append(bearer).Append("\r\n");
        }

        if (body is not null)
        {
            head.Append("Content-Type: application/json\r\nContent-Length: ").Append(CultureInfo.InvariantCulture, $"{Encoding.UTF8.GetByteCount(body)}").Append("\r\n");
        }

        return Encoding.UTF8.GetBytes(head.Append("\r\n").Append(body).ToString());
    }

    public async ValueTask<HttpReply> SendAsync(ReadOnlyMemory<byte> request)
    {
        for (var sent = 0; sent < request.Length;)
        {
            sent += await _socket.SendAsync(request[sent..]);
        }

        _filled = 0;
        while (true)
        {
            if (_filled == _buffer.Length)
            {
                Array.Resize(ref _buffer, _buffer.Length * 2);
            }

            var read = await _socket.ReceiveAsync(_buffer.AsMemory(_filled));
            if (read == 0)
            {
                throw new IOException("The server hung up.");
            }

            _filled += read;
            if (TryRead(_buffer.AsSpan(0, _filled), out var reply))
            {
                return reply;
            }
        }
    }

    public void Dispose() => _socket.Dispose();

    private static bool TryRead(ReadOnlySpan<byte> received, out HttpReply reply)
    {
        reply = default;
        var end = received.IndexOf("\r\n\r\n"u8);
        if (end < 0)
        {
            return false;
        }

        var head = received[..(end + 2)];
        var rest = received[(end + 4)..];
        var status = ((head[9] - '0') * 100) + ((head[10] - '0') * 10) + head[11] - '0';
        if (Number(head, "\r\nContent-Length: "u8) is { } length)
        {
            if (rest.Length < length)
            {
                return false;
            }

            reply = new HttpReply(status, rest[..length].ToArray());
            return true;
        }

        if (head.IndexOf("\r\nTransfer-Encoding: chunked\r\n"u8) < 0)
        {
            reply = new HttpReply(status, []);
            return true;
        }

        return rest.EndsWith("0\r\n\r\n"u8) && TryUnchunk(rest, status, out reply);
    }

    private static int? Number(ReadOnlySpan<byte> head, ReadOnlySpan<byte> name)
    {
        var at = head.IndexOf(name);
        return at >= 0 && Utf8Parser.TryParse(head[(at + name.Length)..], out int number, out _) ? number : null;
    }

    private static bool TryUnchunk(ReadOnlySpan<byte> rest, int status, out HttpReply reply)
    {
        reply = default;
        var body = new byte[rest.Length];
        var length = 0;
        while (Utf8Parser.TryParse(rest, out int size, out var digits, 'x') && rest.Length >= digits + size + 4)
        {
            if (size == 0)
            {
                reply = new HttpReply(status, body[..length]);
                return true;
            }

            rest.Slice(digits + 2, size).CopyTo(body.AsSpan(length));
            length += size;
            rest = rest[(digits + size + 4)..];
        }

        return false;
    }
}
