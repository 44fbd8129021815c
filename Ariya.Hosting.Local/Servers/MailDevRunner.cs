using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

internal sealed class MailDevRunner : ServerRunner
{
    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        await FolderAccess.EnsureWritableAsync(context.DataDirectory, ct);
        var (file, script) = await InstalledOrOnPathAsync<(string, string[])>(async () =>
        {
            var folder = await NpmServers.OfCheckout.EnsureAsync(context.Log, ct);
            return (await NpmServers.NodeAsync(ct), [Path.Combine(folder, "node_modules", "maildev", "bin", "maildev")]);
        }, path => (path, []), context.Log, "maildev");

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
                "--smtp", context.Ports[1025].ToString(CultureInfo.InvariantCulture),
                "--web", context.Ports[1080].ToString(CultureInfo.InvariantCulture),
                "--ip", "127.0.0.1",
                "--web-ip", "127.0.0.1",
                "--mail-directory", mail,
                .. context.Arguments,
            ],
            WorkingDirectory = context.DataDirectory,
            Environment = environment,
            OnLine = context.OnLine,
        };
    }
}
