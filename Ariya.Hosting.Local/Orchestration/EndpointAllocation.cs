using System.Globalization;
using Ariya.Hosting.Local.Page;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>Gives every endpoint its port before anything starts.</summary>
internal sealed class EndpointAllocation(IConfiguration configuration, DataFolders folders, bool isPageShown)
{
    private readonly bool _isTesting = RunMode.IsTesting(configuration);
    private readonly Dictionary<int, string> _chosen = [];
    private readonly List<string> _refusals = [];

    public void Allocate(IReadOnlyList<IResource> resources)
    {
        if (isPageShown)
        {
            Choose(HostPage.PortOf(configuration), "the host's page", "Ports__host__http=<port>");
        }

        var others = new List<(string Key, EndpointAnnotation Endpoint)>();
        foreach (var (resource, endpoint) in resources.SelectMany(r => r.All<EndpointAnnotation>(), (r, e) => (r, e)))
        {
            if (ChosenPort(resource, endpoint) is { } port)
            {
                endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, port);
                Choose(port, $"resource '{resource.Name}', endpoint '{endpoint.Name}'", $"Ports__{resource.Name}__{endpoint.Name}=<port>");
            }
            else
            {
                others.Add(($"{resource.Name}:{endpoint.Name}", endpoint));
            }
        }

        if (_refusals.Count > 0)
        {
            throw new DistributedApplicationException(string.Join(Environment.NewLine, _refusals));
        }

        if (_isTesting)
        {
            others.ForEach(other => Pick(other.Endpoint, Ports.Pick()));
        }
        else if (others.Count > 0)
        {
            new KeptValues(Path.Combine(folders.Root, "ports.json")).Change(ports => PickAsBefore(others, ports));
        }
    }

    /// <summary>A picked port was taken between the picking and the start. False: somebody chose it, so it stays.</summary>
    public static bool PickAnew(IResource resource)
    {
        var picked = resource.All<EndpointAnnotation>()
            .Where(e => e.AllocatedEndpoint is { IsPicked: true } allocated && !Ports.IsFree(allocated.Port)).ToList();
        picked.ForEach(endpoint => Pick(endpoint, Ports.Pick()));
        return picked.Count > 0;
    }

    private void Choose(int port, string owner, string setting)
    {
        var user = !_chosen.TryAdd(port, owner) ? $"that of {_chosen[port]}, too" : Ports.IsFree(port) ? null : "in use";
        if (user is not null)
        {
            _refusals.Add($"Port {port} ({owner}) is {user}. Free it, or choose another one: {setting}.");
        }
    }

    private int? ChosenPort(IResource resource, EndpointAnnotation endpoint)
    {
        if (configuration.GetValue<int?>($"Ports:{resource.Name}:{endpoint.Name}") is { } configured and not 0)
        {
            return configured;
        }

        // A program that is not told its port listens where it always does.
        if (resource is ExecutableResource && endpoint is { PortVariable: null, TargetPort: { } targetPort })
        {
            return targetPort;
        }

        return _isTesting ? null : endpoint.Port;
    }

    private bool PickAsBefore(List<(string Key, EndpointAnnotation Endpoint)> endpoints, Dictionary<string, string> ports)
    {
        foreach (var (key, endpoint) in endpoints)
        {
            var isUsable = int.TryParse(ports.GetValueOrDefault(key), CultureInfo.InvariantCulture, out var port)
                && _chosen.TryAdd(port, key) && Ports.IsFree(port);
            Pick(endpoint, isUsable ? port : Ports.Pick());
            ports[key] = endpoint.AllocatedEndpoint!.Port.ToString(CultureInfo.InvariantCulture);
        }

        return true;
    }

    private static void Pick(EndpointAnnotation endpoint, int port) =>
        endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, port) { IsPicked = true };
}
