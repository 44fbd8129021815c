using System.Net;
using System.Reflection;
using System.Text;
using System.Text.RegularExpressions;
using Ariya.Data.Outbox;
using Ariya.Tests.Mail.Relay;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>Every mail there is, as the relay gets it, and what the worker says of them while it says everything.</summary>
public sealed partial class EveryMailTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    private const string Name = "Gráce Brewster “Amazing” Murray Hopper of the United States Navy";
    private static readonly TimeSpan s_limit = TimeSpan.FromSeconds(60);
    private static readonly string[] s_headers = ["Auto-Submitted", "Content-Type", "Date", "From", "MIME-Version", "Message-ID", "Subject", "To"];

    [Fact]
    [Trait("Promise", "P50")]
    public async Task EveryKindOfMailHasEachHeaderOnceTwoPartsWithTheSameLinksAndShortLines()
    {
        var recipients = await AddEveryKindAsync();
        Assert.Equal(recipients.Count, await Worker().RunOnceAsync());

        Assert.Equal(recipients.Order(), Relay.Accepted.Select(mail => mail.Recipient).Order());
        foreach (var accepted in Relay.Accepted)
        {
            var mail = ReceivedMail.Parse(accepted.Content);
            Assert.Equal(s_headers, mail.Headers.Select(header => header.Name).Order(StringComparer.Ordinal));
            Assert.Equal("auto-generated", mail.Header("Auto-Submitted"));
            Assert.EndsWith($"<{accepted.Recipient}>", mail.Header("To"), StringComparison.Ordinal);
            Assert.NotEmpty(mail.Text);
            Assert.NotEmpty(mail.Html);
            var links = LinksIn(mail.Text);
            Assert.Single(links);
            Assert.Equal(links, LinksIn(WebUtility.HtmlDecode(mail.Html)));
            Assert.All(mail.Raw.Split("\r\n"), line => Assert.InRange(Encoding.UTF8.GetByteCount(line), 0, 78));
            Assert.DoesNotMatch("(?<!\r)\n|\r(?!\n)", mail.Raw);
            Assert.All(mail.Raw, letter => Assert.True(char.IsAscii(letter)));
        }

        Assert.Equal(recipients.Count, Relay.Accepted.Select(mail => ReceivedMail.Parse(mail.Content).MessageId).Distinct().Count());
    }

    [Fact]
    [Trait("Promise", "P62")]
    public async Task NoSecretIsInWhatTheWorkerLogsAtTheLoudestLevel()
    {
        const string Password = "planted-relay-password-4711";
        (string, string)[] loud =
        [
            ("Logging__LogLevel__Default", "Trace"), ("Logging__LogLevel__Microsoft", "Trace"), ("Logging__LogLevel__Npgsql", "Trace"),
            ("Logging__LogLevel__Microsoft.EntityFrameworkCore", "Trace"), ("Logging__Console__LogLevel__Default", "Trace"),
        ];
        var recipients = await AddEveryKindAsync();
        // One is refused for good and one for now, with the address in the reply as relays do.
        Relay.Script = new RelayScript
        {
            On = moment => (moment.Verb, moment.Recipient) switch
            {
                ("RCPT", "refused@example.com") => "550 5.1.1 <refused@example.com>: no such user",
                ("RCPT", "deferred@example.com") => "451 4.7.1 <deferred@example.com>: greylisted",
                _ => null,
            },
        };
        await WelcomeAsync("refused@example.com");
        await WelcomeAsync("deferred@example.com");
        // What cannot be prepared is an error with a trace of its own.
        await AddAsync(MailKinds.Welcome, "choked@example.com", """{"accountId":"planted-in-a-row"}""");
        await using var worker = WorkerProcess.Start(Connection, Relay.Port, loud);
        await Distributed.Wait.UntilAsync("an end of every mail", s_limit, async () =>
            await ScalarAsync<long>("select count(*) from outbox_messages where state in ('pending', 'leased')") == 0 ? "" : null);
        worker.Ask();
        await worker.EndAsync();
        Assert.Equal(recipients.Count, Relay.Accepted.Count);

        // Its own password goes to nobody in clear, and into no line.
        await using var refused = WorkerProcess.Start(Connection, Relay.Port, [.. loud, ("SMTP_USER", "planted-relay-user"), ("SMTP_PASSWORD", Password)]);
        await Distributed.Wait.UntilAsync("a relay that gets no password", s_limit, () => Task.FromResult(refused.Output.Contains("in clear", StringComparison.Ordinal) ? "" : null));
        refused.Ask();
        await refused.EndAsync();

        var log = worker.Output + refused.Output;
        Assert.True(log.Length > 20_000, log);
        var mails = Relay.Accepted.Select(mail => ReceivedMail.Parse(mail.Content)).ToList();
        string[] secrets =
        [
            Password, "a secret of the tests, 32 characters and more", new Npgsql.NpgsqlConnectionStringBuilder(Connection).Password!, "planted-in-a-row", Name,
            .. mails.Select(mail => mail.Token).Where(token => token.Length > 0), .. recipients, "refused@example.com", "deferred@example.com", "choked@example.com",
        ];
        Assert.Equal(5, secrets.Count(secret => secret.Length == 43));
        Assert.All(secrets, secret => Assert.True(!log.Contains(secret, StringComparison.OrdinalIgnoreCase),
            $"{secret} is in: {log.Split('\n').FirstOrDefault(line => line.Contains(secret, StringComparison.OrdinalIgnoreCase))}"));
        // Six digits stand in many a number; a code would stand alone.
        var codes = mails.Select(mail => CodePattern().Match(mail.Text).Groups[1].Value).Where(code => code.Length > 0).ToList();
        Assert.Equal(2, codes.Count);
        Assert.All(codes, code => Assert.DoesNotMatch($@"(?<![\w.-]){code}(?![\w.-])", log));
    }

    /// <summary>A mail of each kind and of each form that a kind has, each to an address of its own; the addresses.</summary>
    private async Task<List<string>> AddEveryKindAsync()
    {
        var recipients = new List<string>();
        foreach (var kind in typeof(MailKinds).GetFields(BindingFlags.Public | BindingFlags.Static).Select(field => (string)field.GetRawConstantValue()!))
        {
            var address = $"{kind.Split('.')[1]}@example.com";
            recipients.Add(address);
            if (kind is MailKinds.Registration or MailKinds.VerificationAgain)
            {
                var registration = await RegistrationAsync(address, Name[..40], Name[^40..]);
                await AddAsync(kind, address, kind == MailKinds.Registration ? $$"""{"registrationId":"{{registration}}"}""" : "{}");
                continue;
            }

            var account = await AccountAsync(address, Name[..40], Name[^40..]);
            await SqlAsync("update accounts set status = $2 where id = $1", account,
                kind switch { MailKinds.AccountDeleted => "deleted", MailKinds.AccountDisabled => "disabled", _ => "active" });
            await AddAsync(kind, address,
                $$"""
                {"accountId":"{{account}}","adminId":"{{account}}","sessionId":"{{await SessionAsync(account)}}","changeId":"{{await EmailChangeAsync(account, kind, address)}}",
                 "how":"reset","reason":"other","network":"192.0.2.0/24","userAgent":"Mozilla/5.0 Firefox/140.0"}
                """);
        }

        // The kind of a registration has another mail for an address that is taken.
        recipients.Add("taken@example.com");
        await AccountAsync("taken@example.com", Name[..40], Name[^40..]);
        await RegistrationMailAsync("taken@example.com");
        return recipients;
    }

    // From or to the address that the mail goes to.
    private async Task<Guid> EmailChangeAsync(Guid account, string kind, string address)
    {
        var change = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into email_changes (id, account_id, auth_epoch, old_email, old_email_canonical, new_email, new_email_canonical, network, user_agent, expires_at, confirmed_at)
            values ($1, $2, 1, $3, $3, $4, $4, '192.0.2.0/24', 'curl/8', clock_timestamp() + interval '1 day', case when $5 then clock_timestamp() end)
            """, change, account, kind is MailKinds.EmailChanged or MailKinds.AccountDeleted ? address : "old@example.com", kind == MailKinds.EmailChange ? address : "new@example.com",
            kind == MailKinds.EmailChanged);
        return change;
    }

    private async Task<Guid> SessionAsync(Guid account)
    {
        var session = Guid.CreateVersion7();
        await SqlAsync(
            """
            insert into sessions (id, account_id, auth_epoch, nonce, user_agent, network, idle_expires_at, expires_at)
            values ($1, $2, 1, '\x00', 'Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0', '192.0.2.0/24', clock_timestamp(), clock_timestamp())
            """, session, account);
        return session;
    }

    // A link that stands twice in a part, as words and as a target, is one.
    private static List<string> LinksIn(string text) => [.. LinkPattern().Matches(text).Select(link => link.Value.TrimEnd('.')).Distinct().Order(StringComparer.Ordinal)];

    [GeneratedRegex(@"https?://[^\s""<>]+")]
    private static partial Regex LinkPattern();

    [GeneratedRegex(@"10 minutes: (\d{6})")]
    private static partial Regex CodePattern();
}
