using System.Diagnostics;
using System.Globalization;
using System.Reflection;
using Ariya.Tests.Mail.Outbox;
using Ariya.Tests.Mail.Relay;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail.Trust;

/// <summary>
/// A process that trusts a test's authority and nobody else: what a process trusts is read from its environment when it
/// starts, so the sending happens in one of its own. <c>dotnet Ariya.Tests.dll send {port} {security} {isMailKit}</c> sends one mail,
/// <c>… outbox {port} {connection}</c> is a worker until its input ends.
/// </summary>
internal static class TrustingProcess
{
    public const string SendCommand = "send";
    public const string OutboxCommand = "outbox";

    public static Task<string> SendAsync(bool isMailKit, ScriptedRelay relay, SmtpSecurity security, string authorityPem) =>
        RunAsync(authorityPem, [SendCommand, PortOf(relay), $"{security}", $"{isMailKit}"], _ => Task.CompletedTask);

    /// <summary>A worker that goes by STARTTLS to a relay's port for as long as something is done beside it.</summary>
    public static Task<string> WithWorkerAsync(string connection, ScriptedRelay relay, string authorityPem, Func<Task> use) =>
        RunAsync(authorityPem, [OutboxCommand, PortOf(relay), connection], async process =>
        {
            try
            {
                await use();
            }
            finally
            {
                process.StandardInput.Close();
            }
        });

    private static async Task<string> RunAsync(string authorityPem, string[] arguments, Func<Process, Task> use)
    {
        var file = Path.GetTempFileName();
        try
        {
            await File.WriteAllTextAsync(file, authorityPem);
            var start = new ProcessStartInfo("dotnet", ["exec", Assembly.GetExecutingAssembly().Location, .. arguments])
            {
                RedirectStandardInput = true,
                RedirectStandardOutput = true,
            };
            start.Environment["SSL_CERT_FILE"] = file;
            start.Environment["SSL_CERT_DIR"] = "/nowhere";
            using var process = Process.Start(start)!;
            var output = process.StandardOutput.ReadToEndAsync();
            await use(process);
            await process.WaitForExitAsync();
            return (await output).Trim();
        }
        finally
        {
            File.Delete(file);
        }
    }

    private static string PortOf(ScriptedRelay relay) => relay.Port.ToString(CultureInfo.InvariantCulture);

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

    /// <summary>The other side: a worker whose waits are short.</summary>
    public static async Task RunOutboxAsync(int port, string connection)
    {
        await using var worker = new InProcessWorker(new WorkerSettings
        {
            Connection = connection,
            RelayPort = port,
            Security = SmtpSecurity.StartTls,
            Patience = TimeSpan.FromMinutes(10),
            Clock = new HastyClock(50),
        });
        await worker.StartAsync();
        await Console.In.ReadLineAsync();
    }
}
