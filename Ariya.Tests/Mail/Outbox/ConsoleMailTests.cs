using System.Text.RegularExpressions;
using Ariya.Data.Outbox;
using Ariya.Data.Tokens;

namespace Ariya.Tests.Mail.Outbox;

public sealed class ConsoleMailTests(MailPostgres postgres) : OutboxRoom(postgres)
{
    [Fact]
    public async Task InDevelopmentWithoutARelayWholeMailsArePrintedAndTheirLinksWork()
    {
        await AccountAsync("ada@example.com");
        var mail = await AddAsync(MailKinds.PasswordReset, "ada@example.com");
        await using var worker = WorkerProcess.Start(Connection, 1, ("SMTP_HOST", ""), ("DOTNET_ENVIRONMENT", "Development"));
        await Distributed.Wait.UntilAsync("the mail to be printed", TimeSpan.FromSeconds(60), async () => (await RowAsync(mail)).State == "sent" ? "" : null);
        worker.Ask();
        await worker.EndAsync();
        Assert.Contains("--- mail to ada@example.com: Choose a new password", worker.Output, StringComparison.Ordinal);
        var token = Regex.Match(worker.Output, "/reset-password\\?token=([A-Za-z0-9_-]+)").Groups[1].Value;
        Assert.Equal(OneTimeTokenKeys.Hash(token), await ScalarAsync<byte[]>("select token_hash from one_time_tokens"));
    }
}
