using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail;

/// <summary>A relay that cannot prove who it is gets neither a password nor a mail. This process trusts no test authority.</summary>
public abstract class SmtpTlsTests(bool isMailKit) : IDisposable
{
    private readonly RelayCertificates _certificates = new();

    public void Dispose()
    {
        _certificates.Dispose();
        GC.SuppressFinalize(this);
    }

    [Fact]
    [Trait("Promise", "P57")]
    public async Task AnUntrustedCertificateEndsTheDialogueBeforeAnythingIsSaid()
    {
        using var certificate = _certificates.Valid();
        foreach (var isImplicit in new[] { false, true })
        {
            await using var relay = new ScriptedRelay(new RelayScript
            {
                Extensions = ["STARTTLS", "AUTH PLAIN LOGIN"],
                IsImplicitTls = isImplicit,
                Certificate = certificate,
            });
            await AssertNothingIsSaidAsync(relay, isImplicit ? SmtpSecurity.Implicit : SmtpSecurity.StartTls, "TLS: ");
        }
    }

    [Fact]
    public async Task AStartTlsThatIsNotOfferedIsNotGoneWithout()
    {
        await using var relay = new ScriptedRelay(new RelayScript { Extensions = ["AUTH PLAIN LOGIN"] });
        await AssertNothingIsSaidAsync(relay, SmtpSecurity.StartTls, "no STARTTLS");
    }

    [Theory]
    [InlineData("454 4.7.0 TLS not available")]
    [InlineData("250 2.0.0 ok")]
    [InlineData("501 5.5.4 what")]
    public async Task ARefusedStartTlsIsNotGoneWithout(string reply)
    {
        await using var relay = new ScriptedRelay(new RelayScript
        {
            Extensions = ["STARTTLS", "AUTH PLAIN LOGIN"],
            On = moment => moment.Verb == "STARTTLS" ? reply : null,
        });
        await AssertNothingIsSaidAsync(relay, SmtpSecurity.StartTls, reply);
    }

    [Fact]
    public async Task WordsBehindTheAnswerToStartTlsEndTheDialogue()
    {
        using var certificate = _certificates.Valid();
        await using var relay = new ScriptedRelay(new RelayScript
        {
            Extensions = ["STARTTLS"],
            Certificate = certificate,
            On = moment => moment.Verb == "STARTTLS" ? "220 2.0.0 go ahead\r\n250-relay.test\r\n250 AUTH PLAIN" : null,
        });
        await AssertNothingIsSaidAsync(relay, SmtpSecurity.StartTls, "more than its answer");
    }

    [Fact]
    public async Task NoPasswordGoesOverAConnectionInClear()
    {
        await using var relay = new ScriptedRelay(new RelayScript { Extensions = ["AUTH PLAIN LOGIN"] });
        await AssertNothingIsSaidAsync(relay, SmtpSecurity.None, "in clear");
    }

    private async Task AssertNothingIsSaidAsync(ScriptedRelay relay, SmtpSecurity security, string reason)
    {
        var settings = RelayClient.Settings(relay, security, "relay user") with { CommandTimeout = TimeSpan.FromSeconds(10) };
        await using var transport = RelayClient.Create(isMailKit, settings);
        var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);

        Assert.Equal((DeliveryOutcome.RelayFailed, SmtpStage.Connect), (report.Outcome, report.Stage));
        Assert.Contains(reason, report.Reply, StringComparison.Ordinal);
        Assert.Empty(relay.Handed);
        Assert.All(relay.Commands, command => Assert.Matches("^(EHLO .+|STARTTLS|QUIT)$", command));
        Assert.All(relay.Sessions, session =>
        {
            Assert.DoesNotContain("AUTH", session.Received, StringComparison.Ordinal);
            Assert.DoesNotContain("Grace", session.Received, StringComparison.Ordinal);
        });
    }
}

public sealed class OwnSmtpTlsTests() : SmtpTlsTests(isMailKit: false);

public sealed class MailKitSmtpTlsTests() : SmtpTlsTests(isMailKit: true);
