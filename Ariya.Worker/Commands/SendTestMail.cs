using System.Net;
using Ariya.Data.Accounts;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Mail;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Worker.Commands;

/// <summary><c>send-test-mail ADDRESS</c>: one mail straight to the relay, and the relay's answer.</summary>
internal static class SendTestMail
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, string address)
    {
        if (!EmailAddress.TryParse(address, out var email))
        {
            Console.Error.WriteLine("send-test-mail: that is no mail address.");
            return Task.FromResult(OneShot.Misused);
        }

        var settings = builder.ReadSetting(() => SmtpSettings.Read(builder.Configuration));
        builder.ThrowIfSettingsAreWrong();
        if (settings is null)
        {
            Console.Error.WriteLine("send-test-mail: there is no relay. Set SMTP_HOST.");
            return Task.FromResult(OneShot.Failed);
        }

        builder.AddRelay(settings);
        return OneShot.RunAsync(builder, "send-test-mail", async (services, cancellationToken) =>
        {
            var words = $"This is a test of the mail settings, sent through {settings.Host}:{settings.Port}. Nothing needs to be done.";
            var mail = new OutgoingMail(
                Guid.CreateVersion7(), email.Address, "", "Test of the mail settings", $"<p>{WebUtility.HtmlEncode(words)}</p>", words);
            await using var relay = services.GetRequiredService<Func<IMailTransport>>()();
            var report = await relay.SendAsync(mail, cancellationToken);
            Console.WriteLine($"{report.Outcome} at {report.Stage}: {report.Reply}");
            return report.Outcome == DeliveryOutcome.Accepted ? OneShot.Done : OneShot.Failed;
        });
    }
}
