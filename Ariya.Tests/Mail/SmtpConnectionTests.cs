using System.Diagnostics;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail;

/// <summary>What becomes of a mail when the connection breaks, goes quiet or is closed.</summary>
public abstract class SmtpConnectionTests(bool isMailKit)
{
    private static readonly TimeSpan s_short = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_bound = TimeSpan.FromSeconds(15);

    [Theory]
    [Trait("Promise", "P56")]
    [InlineData("CONNECT", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Connect))]
    [InlineData("EHLO", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Connect))]
    [InlineData("MAIL", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Mail))]
    [InlineData("RCPT", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("DATA", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Data))]
    [InlineData(".", nameof(DeliveryOutcome.Unknown), nameof(SmtpStage.AfterDot))]
    public async Task ARelayThatGoesQuietOrAwayIsLeftInTime(string verb, string outcome, string stage)
    {
        var drops = RelayReply.Slowly($"250-{new string('x', 4000)}", TimeSpan.FromMilliseconds(5));
        RelayReply[] replies = [RelayReply.HangUp, RelayReply.Silence, drops];
        await Task.WhenAll(replies.Select(async reply =>
        {
            await using var relay = new ScriptedRelay(RelayScript.At(verb, reply));
            await using var transport = Transport(relay, s_short, s_short);
            var started = Stopwatch.GetTimestamp();
            var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);

            Assert.Equal((outcome, stage), (report.Outcome.ToString(), report.Stage.ToString()));
            Assert.InRange(Stopwatch.GetElapsedTime(started), TimeSpan.Zero, s_bound);
            relay.Script = new RelayScript();
            Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
            Assert.Equal(2, relay.Sessions.Count);
        }));
    }

    [Fact]
    public async Task AConnectionThatBreaksInTheContentMayHaveDelivered()
    {
        await using var relay = new ScriptedRelay(RelayScript.At("DATA", RelayReply.Last("354 go ahead")));
        await using var transport = Transport(relay);
        var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);
        Assert.Equal((DeliveryOutcome.Unknown, SmtpStage.AfterDot), (report.Outcome, report.Stage));
    }

    [Fact]
    public async Task OnlyTheWaitAfterTheDotIsLong()
    {
        var gate = new TaskCompletionSource();
        await using var relay = new ScriptedRelay(RelayScript.At(".", RelayReply.After(gate.Task, "250 2.0.0 at last")));
        await using var transport = Transport(relay, s_short, TimeSpan.FromSeconds(60));
        var sending = transport.SendAsync(RelayClient.Mail(), CancellationToken.None);
        // Long after the limit of a command the mail is still waited for.
        await Assert.ThrowsAsync<TimeoutException>(() => sending.WaitAsync(s_short * 1.5));
        gate.SetResult();

        var report = await sending;
        Assert.Equal((DeliveryOutcome.Accepted, "250 2.0.0 at last"), (report.Outcome, report.Reply));
    }

    [Theory]
    [Trait("Promise", "P60")]
    [InlineData("RCPT")]
    [InlineData(".")]
    public async Task WhatIsCutShortIsUnknownOnlyWhenTheRelayMayHaveIt(string verb)
    {
        using var stop = new CancellationTokenSource();
        await using var relay = new ScriptedRelay(new RelayScript
        {
            On = moment =>
            {
                if (moment.Verb != verb)
                {
                    return null;
                }

                stop.Cancel();
                return RelayReply.Silence;
            },
        });
        await using var transport = Transport(relay);
        var sending = transport.SendAsync(RelayClient.Mail(), stop.Token);
        if (verb == ".")
        {
            Assert.Equal((DeliveryOutcome.Unknown, SmtpStage.AfterDot), await sending is var report ? (report.Outcome, report.Stage) : default);
        }
        else
        {
            await Assert.ThrowsAnyAsync<OperationCanceledException>(() => sending);
        }

        relay.Script = new RelayScript();
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
    }

    [Theory]
    [InlineData("250 2.0.0 taken", true)]
    [InlineData("250 2.0.0 taken\r\n421 4.4.2 idle for too long", true)]
    [InlineData("250 2.0.0 taken\r\n421 4.4.2 idle for too long", false)]
    public async Task AConnectionThatTheRelayClosedMeanwhileIsOpenedAgain(string lastWords, bool isClosed)
    {
        await using var relay = new ScriptedRelay(RelayScript.At(".", isClosed ? RelayReply.Last(lastWords) : lastWords));
        await using var transport = Transport(relay);
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
        if (isClosed)
        {
            await relay.Sessions[0].Closed;
        }

        relay.Script = new RelayScript();
        var next = RelayClient.Mail() with { To = "next@example.com" };
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(next, CancellationToken.None)).Outcome);
        Assert.Equal(["Grace@example.com", "next@example.com"], relay.Accepted.Select(mail => mail.Recipient));
        Assert.Equal(2, relay.Sessions.Count);
    }

    [Fact]
    public async Task ARefusalStandsWhateverBecomesOfTheConnection()
    {
        foreach (var reply in new[] { RelayReply.HangUp, RelayReply.Silence, "421 4.3.2 closing" })
        {
            await using var relay = new ScriptedRelay(new RelayScript
            {
                On = moment => moment.Verb switch { "RCPT" => "550 5.1.1 no such user", "RSET" => reply, _ => null },
            });
            await using var transport = Transport(relay, s_short, s_short);
            Assert.Equal(DeliveryOutcome.Refused, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
            relay.Script = new RelayScript();
            Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
        }
    }

    [Fact]
    public async Task NobodyListeningIsSaidInPlainWords()
    {
        int port;
        await using (var relay = new ScriptedRelay())
        {
            port = relay.Port;
        }

        var settings = new SmtpSettings("127.0.0.1", port, SmtpSecurity.None, null, null, "no-reply@example.com", "Ariya");
        await using var transport = RelayClient.Create(isMailKit, settings);
        var report = await transport.OpenAsync(CancellationToken.None);
        Assert.Equal((DeliveryOutcome.RelayFailed, "no connection: ConnectionRefused"), (report.Outcome, report.Reply));
    }

    [Fact]
    public async Task TheConnectionEndsWithQuit()
    {
        await using var relay = new ScriptedRelay();
        await using (var transport = Transport(relay))
        {
            await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);
        }

        Assert.Equal("QUIT", relay.Commands.Last());
    }

    private IMailTransport Transport(ScriptedRelay relay, TimeSpan? commands = null, TimeSpan? acceptance = null) =>
        RelayClient.Create(isMailKit, relay, commands, acceptance);
}

public sealed class OwnSmtpConnectionTests() : SmtpConnectionTests(isMailKit: false);

public sealed class MailKitSmtpConnectionTests() : SmtpConnectionTests(isMailKit: true);
