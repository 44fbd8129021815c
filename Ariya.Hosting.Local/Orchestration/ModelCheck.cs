using Ariya.Hosting.Local.Servers;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>
/// Checks, before anything starts, what would only fail later: data of another user or in use, images without a local server,
/// taken ports. What the caller gave a connection string for is left alone.
/// </summary>
internal sealed class ModelCheck(
    DistributedApplicationModel model, EndpointAllocation endpoints, DataFolders folders, IConfiguration configuration)
{
    public async Task PrepareAsync(CancellationToken cancellationToken)
    {
        await EnsureDataIsUsableAsync(cancellationToken);
        UseGivenConnectionStrings();
        var started = model.Resources.Where(IsStarted).ToList();
        foreach (var container in started.OfType<ContainerResource>())
        {
            StartCommand.RunnerOf(container);
        }

        // Before the ports: a second host of this checkout finds those taken too, and the data is the better hint.
        foreach (var container in started.OfType<ContainerResource>().Where(DataFolders.IsKept))
        {
            folders.LockVolume(container);
        }

        endpoints.Allocate(started);
    }

    public static bool IsStarted(IResource resource) =>
        resource is ContainerResource or ExecutableResource or ProjectResource && !resource.Has<GivenConnectionStringAnnotation>();

    private async Task EnsureDataIsUsableAsync(CancellationToken cancellationToken)
    {
        // A test writes nothing there.
        if (RunMode.IsTesting(configuration))
        {
            return;
        }

        try
        {
            await FolderAccess.EnsureUsableAsync(folders.Root, cancellationToken);
        }
        catch (InvalidOperationException e)
        {
            throw new DistributedApplicationException(e.Message, e);
        }
    }

    private void UseGivenConnectionStrings()
    {
        foreach (var resource in model.Resources.Where(r => r is IResourceWithConnectionString and not ConnectionStringResource))
        {
            if (configuration.GetConnectionString(resource.Name) is { Length: > 0 } given)
            {
                resource.Annotations.Add(new GivenConnectionStringAnnotation(given));
            }
        }

        // A server whose databases are all elsewhere has nothing to do here.
        foreach (var server in model.Resources.OfType<PostgresServerResource>().Where(IsStarted))
        {
            var given = model.Resources.OfType<PostgresDatabaseResource>().Where(d => d.Parent == server)
                .Select(d => d.Last<GivenConnectionStringAnnotation>()).ToList();
            if (given.Count > 0 && !given.Contains(null))
            {
                server.Annotations.Add(given[0]!);
            }
        }
    }
}

internal static class RunMode
{
    /// <summary>The setting by which Aspire's testing builder asks for ports of its own.</summary>
    public const string RandomizePorts = "DcpPublisher:RandomizePorts";

    public static bool IsTesting(IConfiguration configuration) => configuration.GetValue(RandomizePorts, false);
}

/// <summary>Why the host gives up: printed by <c>Run</c>, which then exits with code 1.</summary>
internal sealed class RunFailure
{
    public string? Message { get; set; }
}
