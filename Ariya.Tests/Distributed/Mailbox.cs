using System.Text.Json;
using System.Text.RegularExpressions;

namespace Ariya.Tests.Distributed;

internal sealed record CaughtMail(string Subject, string Text, string Html)
{
    public string Token => Regex.Match(Text, "token=([A-Za-z0-9_-]+)").Groups[1].Value;

    /// <summary>The six digits beside a verification link.</summary>
    public string Code => Regex.Match(Text, @"10 minutes: (\d{6})").Groups[1].Value;
}

/// <summary>What MailDev caught for an address, over its API.</summary>
internal static class Mailbox
{
    public static Task<CaughtMail> NextAsync(HttpClient mailDev, string address, string subject) =>
        Wait.UntilAsync($"the mail '{subject}'", TimeSpan.FromSeconds(30), async () =>
            (await AllAsync(mailDev, address)).LastOrDefault(mail => mail.Subject == subject));

    /// <summary>Everything that has come for an address so far, in order.</summary>
    public static async Task<IReadOnlyList<CaughtMail>> AllAsync(HttpClient mailDev, string address)
    {
        using var mails = JsonDocument.Parse(await mailDev.GetStringAsync($"/email?to.address={Uri.EscapeDataString(address)}"));
        return [.. mails.RootElement.EnumerateArray().Select(mail => new CaughtMail(Text(mail, "subject"), Text(mail, "text"), Text(mail, "html")))];
    }

    private static string Text(JsonElement mail, string name) => mail.GetProperty(name).GetString()!;
}
