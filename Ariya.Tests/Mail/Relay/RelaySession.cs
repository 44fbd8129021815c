using System.Net.Security;
using System.Net.Sockets;
using System.Text;

namespace Ariya.Tests.Mail.Relay;

/// <summary>One connection to a <see cref="ScriptedRelay"/>.</summary>
internal sealed class RelaySession : IAsyncDisposable
{
    private readonly ScriptedRelay _relay;
    private readonly Socket _socket;
    private readonly RecordingStream _wire;
    private readonly int _number;
    private readonly TaskCompletionSource _closed = new();
    private Stream _stream;
    private StreamReader _reader;
    private string _from = "";
    private string? _recipient;
    private int _mail;

    public RelaySession(ScriptedRelay relay, Socket socket, int number)
    {
        _relay = relay;
        _socket = socket;
        _number = number;
        _wire = new RecordingStream(new NetworkStream(socket, ownsSocket: false));
        _stream = _wire;
        _reader = Reader();
    }

    /// <summary>Every byte that came, as it was on the network; what was sent under TLS is not readable in it.</summary>
    public string Received => Encoding.Latin1.GetString(_wire.Received());

    public bool IsTls => _stream is SslStream;

    /// <summary>Ends when the connection is over, from either side.</summary>
    public Task Closed => _closed.Task;

    public async ValueTask DisposeAsync()
    {
        _reader.Dispose();
        await _stream.DisposeAsync();
        _socket.Dispose();
        _closed.TrySetResult();
    }

    public async Task ServeAsync(CancellationToken cancellationToken)
    {
        if (_relay.Script.IsImplicitTls)
        {
            await TurnToTlsAsync(cancellationToken);
        }

        var isOpen = await AnswerAsync("CONNECT", "", "220 relay.test ready", cancellationToken);
        while (isOpen && await _reader.ReadLineAsync(cancellationToken) is { } line)
        {
            _relay.Commands.Enqueue(line);
            isOpen = await HandleAsync(line.Split(' ', ':')[0].ToUpperInvariant(), line, cancellationToken);
        }
    }

    private async Task<bool> HandleAsync(string verb, string line, CancellationToken cancellationToken)
    {
        switch (verb)
        {
            case "EHLO":
                return await AnswerAsync(verb, line, Greeting(), cancellationToken);
            case "STARTTLS":
                var reply = _relay.Script.On(Moment(verb, line)) ?? "220 2.0.0 go ahead";
                if (!await SayAsync(reply, cancellationToken) || !reply.Text!.StartsWith("220", StringComparison.Ordinal))
                {
                    return !reply.HangsUp;
                }

                await TurnToTlsAsync(cancellationToken);
                return true;
            case "AUTH" when line == "AUTH LOGIN":
                return await AnswerAsync(verb, line, "334 VXNlcm5hbWU6", cancellationToken)
                    && await ReadSecretAsync("AUTH-USER", "334 UGFzc3dvcmQ6", cancellationToken)
                    && await ReadSecretAsync("AUTH-PASSWORD", "235 2.7.0 welcome", cancellationToken);
            case "AUTH":
                return await AnswerAsync(verb, line, "235 2.7.0 welcome", cancellationToken);
            case "MAIL":
                _mail++;
                _recipient = null;
                _from = Address(line);
                return await AnswerAsync(verb, line, "250 2.1.0 ok", cancellationToken);
            case "RCPT":
                _recipient = Address(line);
                return await AnswerAsync(verb, line, "250 2.1.5 ok", cancellationToken);
            case "DATA":
                var data = _relay.Script.On(Moment(verb, line)) ?? "354 go ahead";
                return await SayAsync(data, cancellationToken)
                    && (data.Text?.StartsWith("354", StringComparison.Ordinal) is not true || await ReadContentAsync(cancellationToken));
            case "QUIT":
                await AnswerAsync(verb, line, "221 2.0.0 bye", cancellationToken);
                return false;
            default:
                return await AnswerAsync(verb, line, verb == "RSET" ? "250 2.0.0 ok" : "500 5.5.1 unknown command", cancellationToken);
        }
    }

    private async Task<bool> ReadSecretAsync(string verb, string usual, CancellationToken cancellationToken)
    {
        var line = await _reader.ReadLineAsync(cancellationToken) ?? "";
        _relay.Commands.Enqueue(line);
        return await AnswerAsync(verb, line, usual, cancellationToken);
    }

    private async Task<bool> ReadContentAsync(CancellationToken cancellationToken)
    {
        var content = new StringBuilder();
        while (await _reader.ReadLineAsync(cancellationToken) is { } line)
        {
            if (line == ".")
            {
                var reply = _relay.Script.On(Moment(".", line)) ?? $"250 2.0.0 taken as {_number}-{_mail}";
                await reply.Gate.WaitAsync(cancellationToken);
                _relay.Handed.Enqueue(new HandedMail(_number, _from, _recipient!, content.ToString(), reply.Text ?? ""));
                return await SayAsync(reply, cancellationToken);
            }

            content.Append(line.StartsWith('.') ? line[1..] : line).Append("\r\n");
        }

        return false;
    }

    private Task<bool> AnswerAsync(string verb, string line, string usual, CancellationToken cancellationToken) =>
        SayAsync(_relay.Script.On(Moment(verb, line)) ?? usual, cancellationToken);

    private async Task<bool> SayAsync(RelayReply reply, CancellationToken cancellationToken)
    {
        await reply.Gate.WaitAsync(cancellationToken);
        if (reply.Text is { } text)
        {
            var bytes = Encoding.UTF8.GetBytes(text + "\r\n");
            foreach (var part in reply.Pace == TimeSpan.Zero ? [bytes] : bytes.Chunk(1))
            {
                await _stream.WriteAsync(part, cancellationToken);
                await _stream.FlushAsync(cancellationToken);
                await Task.Delay(reply.Pace, cancellationToken);
            }
        }

        return !reply.HangsUp;
    }

    private async Task TurnToTlsAsync(CancellationToken cancellationToken)
    {
        var tls = new SslStream(_stream);
        await tls.AuthenticateAsServerAsync(
            new SslServerAuthenticationOptions { ServerCertificate = _relay.Script.Certificate! }, cancellationToken);
        _stream = tls;
        _reader = Reader();
    }

    private string Greeting()
    {
        string[] lines = ["relay.test", .. IsTls ? _relay.Script.ExtensionsUnderTls : _relay.Script.Extensions];
        return string.Join("\r\n", lines.Select((line, index) => $"250{(index == lines.Length - 1 ? ' ' : '-')}{line}"));
    }

    private RelayMoment Moment(string verb, string line) => new(_number, verb, line, _recipient, _mail);

    private static string Address(string line) =>
        line[(line.IndexOf('<', StringComparison.Ordinal) + 1)..line.IndexOf('>', StringComparison.Ordinal)];

    private StreamReader Reader() => new(_stream, Encoding.UTF8, detectEncodingFromByteOrderMarks: false, leaveOpen: true);
}
