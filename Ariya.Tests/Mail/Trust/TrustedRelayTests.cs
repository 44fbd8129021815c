using System.Security.Cryptography.X509Certificates;
using System.Text;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail.Trust;

/// <summary>TLS as it is with a relay whose authority is trusted, and what is left of it when only a date or a name is wrong.</summary>
public abstract class TrustedRelayTests(bool isMailKit) : IDisposable
{
    private const string Offers = "AUTH PLAIN LOGIN";
    private readonly RelayCertificates _certificates = new();

    public void Dispose()
    {
        _certificates.Dispose();
        GC.SuppressFinalize(this);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task AMailAndItsPasswordGoUnderTlsOnly(bool isImplicit)
    {
        using var certificate = _certificates.Valid();
        // What was offered in clear does not count: under TLS the relay offers LOGIN alone.
        await using var relay = new ScriptedRelay(new RelayScript
        {
            IsImplicitTls = isImplicit,
            Extensions = ["STARTTLS", Offers],
            ExtensionsUnderTls = ["AUTH LOGIN"],
            Certificate = certificate,
        });
        Assert.Equal("Accepted AfterDot 250 2.0.0 taken as 1-1", await SendAsync(relay, isImplicit));
        Assert.Contains("AUTH LOGIN", relay.Commands);
        Assert.Contains(Convert.ToBase64String("a relay password"u8), relay.Commands);
        Assert.DoesNotContain(relay.Commands, command => command.StartsWith("AUTH PLAIN", StringComparison.Ordinal));
        AssertSecret(relay);
    }

    [Fact]
    public async Task PlainIsPreferred()
    {
        using var certificate = _certificates.Valid();
        await using var relay = new ScriptedRelay(new RelayScript
        {
            Extensions = ["STARTTLS"],
            ExtensionsUnderTls = ["AUTH PLAIN LOGIN"],
            Certificate = certificate,
        });
        Assert.StartsWith("Accepted", await SendAsync(relay, isImplicit: false), StringComparison.Ordinal);
        Assert.Contains($"AUTH PLAIN {Convert.ToBase64String("\0relay user\0a relay password"u8)}", relay.Commands);
        AssertSecret(relay);
    }

    [Theory]
    [InlineData("AUTH", "535 5.7.8 wrong password", "RelayFailed Connect 535 5.7.8 wrong password")]
    [InlineData("AUTH-PASSWORD", "535 5.7.8 wrong password", "RelayFailed Connect 535 5.7.8 wrong password")]
    [InlineData("AUTH", "454 4.7.0 later", "RelayFailed Connect 454 4.7.0 later")]
    public async Task ARefusedPasswordIsTheRelaysTrouble(string verb, string reply, string expected)
    {
        using var certificate = _certificates.Valid();
        await using var relay = new ScriptedRelay(new RelayScript
        {
            IsImplicitTls = true,
            ExtensionsUnderTls = [verb == "AUTH" ? "AUTH PLAIN" : "AUTH LOGIN"],
            Certificate = certificate,
            On = moment => moment.Verb == verb ? reply : null,
        });
        Assert.Equal(expected, await SendAsync(relay, isImplicit: true));
        Assert.DoesNotContain(relay.Commands, command => command.StartsWith("MAIL", StringComparison.Ordinal));
    }

    [Theory]
    [Trait("Promise", "P57")]
    [InlineData("expired", true)]
    [InlineData("expired", false)]
    [InlineData("wrong name", true)]
    [InlineData("wrong name", false)]
    public async Task AnExpiredCertificateAndOneOfAnotherNameAreRefused(string fault, bool isImplicit)
    {
        using X509Certificate2 certificate = fault == "expired" ? _certificates.Expired() : _certificates.Valid("relay.example.com");
        await using var relay = new ScriptedRelay(new RelayScript
        {
            IsImplicitTls = isImplicit,
            Extensions = ["STARTTLS", Offers],
            ExtensionsUnderTls = [Offers],
            Certificate = certificate,
        });
        Assert.Equal("RelayFailed Connect TLS: the relay's certificate or protocol was not accepted", await SendAsync(relay, isImplicit));
        Assert.All(relay.Commands, command => Assert.Matches("^(EHLO .+|STARTTLS)$", command));
        AssertSecret(relay);
    }

    private Task<string> SendAsync(ScriptedRelay relay, bool isImplicit) =>
        TrustingProcess.SendAsync(isMailKit, relay, isImplicit ? SmtpSecurity.Implicit : SmtpSecurity.StartTls, _certificates.AuthorityPem);

    private static void AssertSecret(ScriptedRelay relay) => Assert.All(relay.Sessions, session =>
    {
        foreach (var words in new[] { "Grace", "AUTH", "MAIL FROM", Convert.ToBase64String(Encoding.ASCII.GetBytes("a relay password")) })
        {
            Assert.DoesNotContain(words, session.Received.Replace(Offers, "", StringComparison.Ordinal), StringComparison.Ordinal);
        }
    });
}

public sealed class OwnTrustedRelayTests() : TrustedRelayTests(isMailKit: false);

public sealed class MailKitTrustedRelayTests() : TrustedRelayTests(isMailKit: true);
