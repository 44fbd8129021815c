using System.Globalization;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Configuration;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>Gives every endpoint its port before anything starts.</summary>
internal sealed class EndpointAllocation(IConfiguration configuration)
{
    private readonly bool _isTesting = RunMode.IsTesting(configuration);
    private readonly KeptValues _remembered = new(Path.Combine(PrivateFiles.DataFolder, "ports.json"));

    public void Allocate(IReadOnlyList<IResource> resources, bool isPageShown)
    {
        var taken = new List<string>();
        var chosen = new Dictionary<int, string>();
        if (isPageShown)
        {
            ReservePage(chosen, taken);
        }

        foreach (var resource in resources)
        {
            foreach (var endpoint in resource.Annotations.OfType<EndpointAnnotation>())
            {
                if (ChosenPort(resource, endpoint) is not { } port)
                {
                    continue;
                }

                endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, port);
                var owner = $"resource '{resource.Name}', endpoint '{endpoint.Name}'";
                if (!chosen.TryAdd(port, owner) || !Ports.IsFree(port))
                {
                    var user = chosen[port] == owner ? "in use" : $"that of {chosen[port]}, too";
                    taken.Add($"Port {port} ({owner}) is {user}. Free it, or choose another one:"
                        + $" Ports__{resource.Name}__{endpoint.Name}=<port>.");
                }
            }
        }

        if (taken.Count > 0)
        {
            throw new DistributedApplicationException(string.Join(Environment.NewLine, taken));
        }

        PickOthers(resources, chosen);
    }

    /// <summary>A picked port was taken between the picking and the start. False: somebody chose it, so it stays.</summary>
    public static bool PickAnew(IResource resource)
    {
        var picked = resource.Annotations.OfType<EndpointAnnotation>()
            .Where(e => e.AllocatedEndpoint is { IsPicked: true } allocated && !Ports.IsFree(allocated.Port)).ToList();
        foreach (var endpoint in picked)
        {
            Pick(endpoint, Ports.Pick());
        }

        return picked.Count > 0;
    }

    private void ReservePage(Dictionary<int, string> chosen, List<string> taken)
    {
        var urls = configuration["ASPNETCORE_URLS"] ?? "http://localhost:15000";
        foreach (var port in urls.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(url => BindingAddress.Parse(url).Port))
        {
            chosen.TryAdd(port, "the host's page");
            if (!Ports.IsFree(port))
            {
                taken.Add($"Port {port} (the host's page) is in use. Free it, or choose another one:"
                    + " ASPNETCORE_URLS=http://localhost:<port>.");
            }
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

    private void PickOthers(IReadOnlyList<IResource> resources, Dictionary<int, string> chosen)
    {
        var others = resources
            .SelectMany(r => r.Annotations.OfType<EndpointAnnotation>().Select(e => (Resource: r, Endpoint: e)))
            .Where(o => o.Endpoint.AllocatedEndpoint is null).ToList();
        if (_isTesting || others.Count == 0)
        {
            others.ForEach(o => Pick(o.Endpoint, Ports.Pick()));
            return;
        }

        _remembered.Change(ports =>
        {
            foreach (var (resource, endpoint) in others)
            {
                var key = $"{resource.Name}:{endpoint.Name}";
                var isUsable = int.TryParse(ports.GetValueOrDefault(key), CultureInfo.InvariantCulture, out var port)
                    && chosen.TryAdd(port, key) && Ports.IsFree(port);
                Pick(endpoint, isUsable ? port : Ports.Pick());
                ports[key] = endpoint.AllocatedEndpoint!.Port.ToString(CultureInfo.InvariantCulture);
            }

            return true;
        });
    }

    private static void Pick(EndpointAnnotation endpoint, int port)
    {
        endpoint.AllocatedEndpoint = new AllocatedEndpoint(endpoint, endpoint.TargetHost, port) { IsPicked = true };
    }
}
