using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

internal sealed class MailDevRunner : ServerRunner
{
    private const int SmtpPort = 1025;
    private const int WebPort = 1080;

    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        await FolderAccess.EnsureWritableAsync(context.DataDirectory, ct);
        var (file, script) = await FindAsync(context.Log, ct);
        // Without a folder of its own it writes every mail into one that all instances of this machine share.
        var mail = Directory.CreateDirectory(Path.Combine(context.DataDirectory, "mail")).FullName;
        var environment = MinimalEnvironment();
        foreach (var (name, value) in context.Environment)
        {
            environment[name] = value;
        }

        return new ChildProcessStart
        {
            FileName = file,
            Arguments =
            [
                .. script,
                "--smtp", context.Ports[SmtpPort].ToString(CultureInfo.InvariantCulture),
                "--web", context.Ports[WebPort].ToString(CultureInfo.InvariantCulture),
                "--ip", "127.0.0.1",
                "--web-ip", "127.0.0.1",
                "--mail-directory", mail,
                .. context.Arguments,
            ],
            WorkingDirectory = context.DataDirectory,
            Environment = environment,
            OnLine = context.Log,
        };
    }

    public override bool IsAddressInUse(IReadOnlyList<string> lastLines)
    {
        return AnyContains(lastLines, "EADDRINUSE");
    }

    private static async Task<(string File, string[] Script)> FindAsync(Action<string, bool> log, CancellationToken ct)
    {
        try
        {
            var folder = await NpmServers.OfCheckout.EnsureAsync(log, ct);
            return (await NpmServers.NodeAsync(ct), [Path.Combine(folder, "node_modules", "maildev", "bin", "maildev")]);
        }
        catch (InvalidOperationException exception)
        {
            var onPath = Executables.Find("maildev");
            if (onPath is null)
            {
                throw;
            }

            log($"{exception.Message}\nUsing {onPath} instead.", true);
            return (onPath, []);
        }
    }
}
