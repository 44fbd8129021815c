using System.Diagnostics;
using System.Net.Sockets;
using System.Text;

namespace Ariya.Tests.Contract;

/// <summary>No request takes longer than it may, whatever its client or the servers behind it do.</summary>
public sealed class RequestTimeTests
{
    private static readonly (string, string) s_short = ("Requests:Timeout", "00:00:01");
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    [Theory]
    [InlineData("POST", "/api/v1/auth/login")]
    [InlineData("POST", "/reset-password")]
    public async Task ABodyThatDoesNotComeIsNotWaitedFor(string method, string path)
    {
        await using var api = ApiHost.With(null, null, s_short);
        using var client = api.CreateClient();
        var type = path.StartsWith("/api", StringComparison.Ordinal) ? "application/json" : "application/x-www-form-urlencoded";
        var (answer, took) = await SendAsync(client.BaseAddress!,
            $"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {type}\r\nContent-Length: 60\r\n\r\n{{\"email\": ");
        Assert.StartsWith("HTTP/1.1 503", answer, StringComparison.Ordinal);
        Assert.Contains("\"code\":\"unavailable\"", answer, StringComparison.Ordinal);
        Assert.Contains("Retry-After: ", answer, StringComparison.Ordinal);
        // The server's own bound for slow bodies takes five seconds and more.
        Assert.InRange(took, TimeSpan.FromSeconds(0.9), TimeSpan.FromSeconds(4));
    }

    [Theory]
    [InlineData("X-Long: ", 17 * 1024, 1)]
    [InlineData("X-Many: ", 1, 70)]
    public async Task HeadersHaveALimit(string name, int length, int count)
    {
        await using var api = new ApiHost();
        using var client = api.CreateClient();
        var headers = string.Concat(Enumerable.Repeat($"{name}{new string('a', length)}\r\n", count));
        var (answer, _) = await SendAsync(client.BaseAddress!, $"GET /alive HTTP/1.1\r\nHost: localhost\r\n{headers}\r\n");
        Assert.StartsWith("HTTP/1.1 431", answer, StringComparison.Ordinal);
    }

    [Fact]
    public async Task OneConnectionTooManyIsClosed()
    {
        await using var api = ApiHost.With(null, null, ("Requests:MaxConnections", "10"));
        using var client = api.CreateClient();
        var held = new List<TcpClient>();
        try
        {
            for (var n = 0; n < 10; n++)
            {
                var connection = new TcpClient(client.BaseAddress!.Host, client.BaseAddress.Port);
                held.Add(connection);
                await connection.GetStream().WriteAsync("GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n"u8.ToArray());
                Assert.True(await connection.GetStream().ReadAsync(new byte[1024]) > 0);
            }

            var (answer, _) = await SendAsync(client.BaseAddress!, "GET /alive HTTP/1.1\r\nHost: localhost\r\n\r\n");
            Assert.Empty(answer);
        }
        finally
        {
            held.ForEach(connection => connection.Dispose());
        }
    }

    // As far as it comes before the server closes, or a whole answer.
    private static async Task<(string Answer, TimeSpan Took)> SendAsync(Uri server, string request)
    {
        using var patience = new CancellationTokenSource(s_patience);
        using var connection = new TcpClient();
        await connection.ConnectAsync(server.Host, server.Port, patience.Token);
        var started = Stopwatch.GetTimestamp();
        var answer = new StringBuilder();
        var buffer = new byte[64 * 1024];
        try
        {
            await connection.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request), patience.Token);
            while (!answer.ToString().Contains("}\r\n", StringComparison.Ordinal) && await connection.GetStream().ReadAsync(buffer, patience.Token) is > 0 and var read)
            {
                answer.Append(Encoding.UTF8.GetString(buffer, 0, read));
                if (answer.ToString().EndsWith('}'))
                {
                    break;
                }
            }
        }
        catch (IOException)
        {
            // Closed while it was written to.
        }

        return (answer.ToString(), Stopwatch.GetElapsedTime(started));
    }
}
