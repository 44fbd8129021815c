using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>
/// Checks, before anything starts, what would only fail later: images without a local server, taken ports, data in use. What the
/// caller gave a connection string for is left alone.
/// </summary>
internal sealed class Model(
    DistributedApplicationModel model, EndpointAllocation endpoints, DataFolders folders, IConfiguration configuration, PageOption page)
{
    public bool IsStarted(IResource resource) =>
        resource is ContainerResource or ExecutableResource or ProjectResource
        && !resource.Annotations.OfType<GivenConnectionStringAnnotation>().Any();

    public void Prepare()
    {
        UseGivenConnectionStrings();
        var started = model.Resources.Where(IsStarted).ToList();
        foreach (var container in started.OfType<ContainerResource>())
        {
            StartCommand.RunnerOf(container);
        }

        endpoints.Allocate(started, page.IsShown);
        foreach (var container in started.OfType<ContainerResource>().Where(DataFolders.IsKept))
        {
            folders.LockVolume(container);
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
                .Select(d => d.Annotations.OfType<GivenConnectionStringAnnotation>().FirstOrDefault()).ToList();
            if (given.Count > 0 && !given.Contains(null))
            {
                server.Annotations.Add(given[0]!);
            }
        }
    }
}

internal sealed record PageOption(bool IsShown);
