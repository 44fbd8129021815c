using System.Security.Cryptography.X509Certificates;
using Ariya.Tests.Distributed;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Mail.Trust;

/// <summary>What becomes of the mails of a worker whose relay's certificate is not good, and then is.</summary>
public sealed class TrustedOutboxTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(30);

    [Fact]
    [Trait("Promise", "P57")]
    public async Task ARelayWithABadCertificateGetsNothingAndItsMailsWaitForAGoodOne()
    {
        await MoveRelayAwayAsync();
        await RegistrationMailAsync("grace@example.com");
        await ResetMailsAsync(5);
        using var certificates = new RelayCertificates();
        using var expired = certificates.Expired();
        using var ofAnother = certificates.Valid("relay.example.com");
        using var valid = certificates.Valid();
        await TrustingProcess.WithWorkerAsync(Connection, Relay, certificates.AuthorityPem, async () =>
        {
            await GetsNothingAsync(expired);
            await GetsNothingAsync(ofAnother);
            await using var relay = RelayWith(valid);
            await Wait.UntilAsync("the mails", s_limit, async () => await ScalarAsync<long>("select count(*) from outbox_messages where state = 'sent'") == 6 ? "" : null);
            Assert.Equal(6, relay.Accepted.Select(mail => mail.Recipient).Distinct().Count());
            Assert.Equal(6, relay.Accepted.Count);
            AssertSecret(relay);
        });
        Assert.Equal(6, await ScalarAsync<long>("select count(*) from outbox_attempts"));
    }

    private async Task GetsNothingAsync(X509Certificate2 certificate)
    {
        await using var relay = RelayWith(certificate);
        await Wait.UntilAsync("the end of a dialogue", s_limit, () => Task.FromResult(relay.Sessions.Any(session => session.Closed.IsCompleted) ? "" : null));
        Assert.Contains("STARTTLS", relay.Commands);
        Assert.All(relay.Commands, command => Assert.Matches("^(EHLO .+|STARTTLS)$", command));
        Assert.Empty(relay.Handed);
        AssertSecret(relay);
        Assert.Equal(6, await ScalarAsync<long>("select count(*) from outbox_messages where state = 'pending' and attempts = 0 and lease_owner is null"));
        Assert.Equal(0, await ScalarAsync<long>("select count(*) from one_time_tokens"));
    }

    private ScriptedRelay RelayWith(X509Certificate2 certificate) =>
        new(new RelayScript { Extensions = ["STARTTLS"], Certificate = certificate }, Relay.Port);

    private static void AssertSecret(ScriptedRelay relay) => Assert.All(relay.Sessions, session =>
        Assert.DoesNotContain("MAIL FROM", session.Received, StringComparison.Ordinal));
}
