using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail;

namespace Ariya.Tests.Mail;

/// <summary>What each reply means for a mail.</summary>
public abstract class SmtpTransportTests(bool isMailKit)
{
    [Theory]
    [InlineData("MAIL", "451 4.3.0 try later", nameof(DeliveryOutcome.Deferred), nameof(SmtpStage.Mail))]
    [InlineData("MAIL", "550 5.7.1 sender unknown", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Mail))]
    [InlineData("MAIL", "421 4.3.2 closing", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Mail))]
    [InlineData("MAIL", "530 5.7.0 sign in first", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Mail))]
    [InlineData("RCPT", "450 4.2.0 greylisted", nameof(DeliveryOutcome.Deferred), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "550 5.1.1 no such user", nameof(DeliveryOutcome.Refused), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "552 5.2.2 mailbox full", nameof(DeliveryOutcome.Refused), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "421 4.7.0 too much from you", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "454 4.7.0 TLS not available", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "530 5.7.0 sign in first", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "535 5.7.8 signed out", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "538 5.7.11 only under TLS", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "777 what is this", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("RCPT", "-25 what is this", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.Rcpt))]
    [InlineData("DATA", "451 4.3.0 disk full", nameof(DeliveryOutcome.Deferred), nameof(SmtpStage.Data))]
    [InlineData("DATA", "554 5.5.1 no valid recipients", nameof(DeliveryOutcome.Refused), nameof(SmtpStage.Data))]
    [InlineData(".", "250 2.0.0 queued as 42", nameof(DeliveryOutcome.Accepted), nameof(SmtpStage.AfterDot))]
    [InlineData(".", "451 4.3.0 scanner away", nameof(DeliveryOutcome.Deferred), nameof(SmtpStage.AfterDot))]
    [InlineData(".", "550 5.7.1 looks like spam", nameof(DeliveryOutcome.Refused), nameof(SmtpStage.AfterDot))]
    [InlineData(".", "552 5.3.4 too big", nameof(DeliveryOutcome.Refused), nameof(SmtpStage.AfterDot))]
    [InlineData(".", "421 4.3.2 closing", nameof(DeliveryOutcome.RelayFailed), nameof(SmtpStage.AfterDot))]
    public async Task EachReplyHasItsOutcomeAndItsStage(string verb, string reply, string outcome, string stage)
    {
        await using var relay = new ScriptedRelay(RelayScript.At(verb, reply));
        await using var transport = Transport(relay);
        var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);

        Assert.Equal((outcome, stage), (report.Outcome.ToString(), report.Stage.ToString()));
        if (reply[0] is >= '2' and <= '5')
        {
            Assert.Equal(reply, report.Reply);
        }

        // A relay that has judged one mail is asked about the next one on the same connection; one in trouble is left.
        relay.Script = new RelayScript();
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
        Assert.Equal(outcome == nameof(DeliveryOutcome.RelayFailed) ? 2 : 1, relay.Sessions.Count);
        Assert.Equal("Grace", relay.Accepted[^1].Recipient.Split('@')[0]);
    }

    [Fact]
    public async Task AReplyOfSeveralLinesIsKeptWhole()
    {
        await using var relay = new ScriptedRelay(RelayScript.At(
            ".", "451-4.7.1 greylisted\r\n451-4.7.1 for five minutes\r\n451 4.7.1 come back"));
        await using var transport = Transport(relay);
        var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);

        Assert.Equal((DeliveryOutcome.Deferred, SmtpStage.AfterDot), (report.Outcome, report.Stage));
        Assert.Equal("451 4.7.1 greylisted 4.7.1 for five minutes 4.7.1 come back", report.Reply);
    }

    [Theory]
    [InlineData("CONNECT", "421 4.3.2 too many connections")]
    [InlineData("CONNECT", "554 5.7.1 not you")]
    [InlineData("CONNECT", "HTTP/1.1 400 Bad Request")]
    [InlineData("EHLO", "502 5.5.2 what is EHLO")]
    [InlineData("EHLO", "421 4.3.2 closing")]
    public async Task ARelayThatDoesNotGreetIsNotReady(string verb, string reply)
    {
        await using var relay = new ScriptedRelay(RelayScript.At(verb, RelayReply.Last(reply)));
        await using var transport = Transport(relay);
        var opened = await transport.OpenAsync(CancellationToken.None);
        var sent = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);

        Assert.Equal((DeliveryOutcome.RelayFailed, SmtpStage.Connect), (opened.Outcome, opened.Stage));
        Assert.Equal((DeliveryOutcome.RelayFailed, SmtpStage.Connect), (sent.Outcome, sent.Stage));
        Assert.DoesNotContain(relay.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Fact]
    public async Task WhatCannotEndIsNotReadForEver()
    {
        await using var longLine = new ScriptedRelay(RelayScript.At("CONNECT", new string('2', 20_000)));
        await using var manyLines = new ScriptedRelay(RelayScript.At("CONNECT", string.Join("\r\n", Enumerable.Repeat("220-again", 1000))));
        foreach (var relay in new[] { longLine, manyLines })
        {
            await using var transport = Transport(relay);
            var report = await transport.OpenAsync(CancellationToken.None);
            Assert.Equal(DeliveryOutcome.RelayFailed, report.Outcome);
            Assert.Matches(isMailKit ? "too |broke" : "too ", report.Reply);
        }
    }

    [Fact]
    public async Task LinesThatStartWithADotArriveAsTheyWere()
    {
        await using var relay = new ScriptedRelay();
        await using var transport = Transport(relay);
        var mail = RelayClient.Mail() with { Text = ".\n..\n.a\nb\n.", Html = ".\r\n.\r\n" };
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(mail, CancellationToken.None)).Outcome);

        var received = ReceivedMail.Parse(Assert.Single(relay.Accepted).Content);
        Assert.Equal(mail.Text, received.Text);
        Assert.Equal(".\n.", received.Html);
        Assert.Single(relay.Commands, command => command == "DATA");
    }

    [Fact]
    public async Task AMailboxOutsideAsciiNeedsARelayThatSaysItTakesThem()
    {
        await using var relay = new ScriptedRelay(new RelayScript { Extensions = ["8BITMIME"] });
        await using var transport = Transport(relay);
        var refused = await transport.SendAsync(RelayClient.Mail() with { To = "jörg@bücher.example" }, CancellationToken.None);
        Assert.Equal((DeliveryOutcome.Refused, SmtpStage.Mail), (refused.Outcome, refused.Stage));
        var taken = await transport.SendAsync(RelayClient.Mail() with { To = "jorg@bücher.example" }, CancellationToken.None);
        Assert.Equal(DeliveryOutcome.Accepted, taken.Outcome);
        Assert.Equal(["jorg@xn--bcher-kva.example"], relay.Accepted.Select(mail => mail.Recipient));
        Assert.Single(relay.Commands, command => command.StartsWith("MAIL FROM:<no-reply@example.com>", StringComparison.Ordinal));

        await using var modern = new ScriptedRelay();
        await using var other = Transport(modern);
        taken = await other.SendAsync(RelayClient.Mail() with { To = "jörg@bücher.example" }, CancellationToken.None);
        Assert.Equal(DeliveryOutcome.Accepted, taken.Outcome);
        Assert.Single(modern.Commands, command => command.StartsWith("MAIL FROM:<no-reply@example.com> SMTPUTF8", StringComparison.Ordinal));
        // With SMTPUTF8 either spelling of the domain is right.
        Assert.Equal(isMailKit ? "jörg@bücher.example" : "jörg@xn--bcher-kva.example", Assert.Single(modern.Accepted).Recipient);
    }

    [Theory]
    [InlineData("not an address")]
    [InlineData("grace@example.com>\r\nRCPT TO:<everybody@example.com")]
    [InlineData("grace@-.example.com")]
    public async Task AnAddressThatIsNoneIsThatMailsOwnTrouble(string address)
    {
        await using var relay = new ScriptedRelay();
        await using var transport = Transport(relay);
        await transport.OpenAsync(CancellationToken.None);
        var report = await transport.SendAsync(RelayClient.Mail() with { To = address }, CancellationToken.None);

        Assert.Equal((DeliveryOutcome.Refused, SmtpStage.Mail), (report.Outcome, report.Stage));
        Assert.Equal(DeliveryOutcome.Accepted, (await transport.SendAsync(RelayClient.Mail(), CancellationToken.None)).Outcome);
        Assert.Single(relay.Sessions);
        Assert.Single(relay.Commands, command => command.StartsWith("RCPT", StringComparison.Ordinal));
    }

    private IMailTransport Transport(ScriptedRelay relay) => RelayClient.Create(isMailKit, relay);
}

public sealed class OwnSmtpTransportTests() : SmtpTransportTests(isMailKit: false);

public sealed class MailKitSmtpTransportTests() : SmtpTransportTests(isMailKit: true);
