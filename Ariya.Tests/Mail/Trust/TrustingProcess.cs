using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail.Trust;

/// <summary>
/// A process that trusts a test's authority and nobody else: what a process trusts is read from its environment when it
/// starts, so the sending happens in one of its own. <c>dotnet Ariya.Tests.dll send {port} {security} {isMailKit}</c> sends one mail.
/// </summary>
internal static class TrustingProcess
{
    public const string Command = "send";

    public static async Task<string> SendAsync(bool isMailKit, ScriptedRelay relay, SmtpSecurity security, string authorityPem)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, authorityPem);
            var port = relay.Port.ToString(CultureInfo.InvariantCulture);
            string[] arguments = ["exec", Assembly.GetExecutingAssembly().Location, Command, port, $"{security}", $"{isMailKit}"];
            var start = new ProcessStartInfo("dotnet", arguments) { RedirectStandardOutput = true };
            start.Environment["SSL_CERT_FILE"] = file;
            start.Environment["SSL_CERT_DIR"] = "/nowhere";
            using var process = Process.Start(start)!;
            var output = await process.StandardOutput.ReadToEndAsync();
            await process.WaitForExitAsync();
            return output.Trim();
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The other side: sends, and prints outcome, stage and reply.</summary>
    public static async Task RunAsync(int port, SmtpSecurity security, bool isMailKit)
    {
        var settings = new SmtpSettings("localhost", port, security, "relay user", "a relay password", "no-reply@example.com", "Ariya")
        {
            CommandTimeout = TimeSpan.FromSeconds(20),
        };
        await using var transport = RelayClient.Create(isMailKit, settings);
        var report = await transport.SendAsync(RelayClient.Mail(), CancellationToken.None);
        Console.WriteLine($"{report.Outcome} {report.Stage} {report.Reply}");
    }
}
