using System.Net.Sockets;
using Ariya.Tests.ServiceDefaults;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Contract;

public sealed class QuietRelayTests
{
    [Fact]
    public async Task ARelayThatWentAwayIsNotReportedAsAnswering()
    {
        using var relay = WebHost.StartSilentServer();
        var settings = new SmtpSettings("127.0.0.1", WebHost.PortOf(relay), SmtpSecurity.None, null, null, "no-reply@example.com", "Ariya");
        var clock = new TestClock(DateTimeOffset.UnixEpoch);
        await using var transport = new SmtpTransport(settings, clock);

        var greeting = GreetAsync(relay);
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.OpenAsync(CancellationToken.None)).Outcome);
        (await greeting).Dispose();
        relay.Stop();
        clock.Advance(TimeSpan.FromSeconds(6));

        Assert.Equal(DeliveryOutcome.RelayFailed, (await transport.OpenAsync(CancellationToken.None)).Outcome);
    }

    private static async Task<TcpClient> GreetAsync(TcpListener relay)
    {
        var client = await relay.AcceptTcpClientAsync();
        var writer = new StreamWriter(client.GetStream()) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 relay");
        await new StreamReader(client.GetStream()).ReadLineAsync();
        await writer.WriteLineAsync("250 relay");
        return client;
    }
}
