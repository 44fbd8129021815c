using System.Globalization;
using Ariya.Hosting.Local.Processes;

namespace Ariya.Hosting.Local.Servers;

internal sealed class PostgresRunner : ServerRunner
{
    private const int ContainerPort = 5432;

    public override async Task<ChildProcessStart> PrepareAsync(ServerContext context, CancellationToken ct)
    {
        var binaries = await PostgresBinaries.FindAsync(context.Log, ct);
        var way = await UnprivilegedUser.WayAsync();
        var place = await PostgresPlace.FindAsync(binaries, context.DataDirectory, way, context.Log, ct);
        var data = await PostgresData.PrepareAsync(place, context, ct);

        List<string> settings =
        [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
        ];
        if (place.Binaries.HasStatStatements)
        {
            settings.Add("shared_preload_libraries=pg_stat_statements");
        }

        if (!context.IsPersistent)
        {
            // What was committed is still there when the server is killed: without fsync it survives the process, not the machine.
            // Asynchronous commit would lose the last half second, and hardly saves anything beside this.
            settings.AddRange(["fsync=off", "full_page_writes=off"]);
        }

        return new ChildProcessStart
        {
            FileName = place.Binaries.Server,
            Arguments =
            [
                "-D", data,
                "-p", context.Ports[ContainerPort].ToString(CultureInfo.InvariantCulture),
                .. settings.SelectMany(setting => (string[])["-c", setting]),
                // As for the container: an argument list may start with the command itself.
                .. context.Arguments is ["postgres", ..] ? context.Arguments.Skip(1) : context.Arguments,
            ],
            WorkingDirectory = place.Folder,
            Environment = MinimalEnvironment(),
            // Terminate would wait for every client to disconnect.
            StopSignal = StopSignal.Interrupt,
            AsUnprivilegedUser = true,
            OnLine = context.Log,
        };
    }

    public override bool IsAddressInUse(IReadOnlyList<string> lastLines)
    {
        return AnyContains(lastLines, "Address already in use");
    }
}
