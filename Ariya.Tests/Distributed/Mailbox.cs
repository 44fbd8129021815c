using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Distributed;

internal sealed record CaughtMail(string Subject, string Text, string Html)
{
    public string Token => Regex.Match(Text, "token=([A-Za-z0-9_-]+)").Groups[1].Value;
}

/// <summary>What MailDev caught for an address, over its API.</summary>
internal static class Mailbox
{
    public static Task<CaughtMail> NextAsync(HttpClient mailDev, string address, string subject) =>
        Wait.UntilAsync($"the mail '{subject}'", TimeSpan.FromSeconds(30), async () =>
        {
            using var mails = JsonDocument.Parse(await mailDev.GetStringAsync($"/email?to.address={address}"));
            return mails.RootElement.EnumerateArray()
                .Select(mail => new CaughtMail(Text(mail, "subject"), Text(mail, "text"), Text(mail, "html")))
                .LastOrDefault(mail => mail.Subject == subject);
        });

    private static string Text(JsonElement mail, string name) => mail.GetProperty(name).GetString()!;
}
