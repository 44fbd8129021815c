using System.Globalization;
using System.Net.Sockets;

namespace Aspire.Hosting.ApplicationModel;

public sealed class EndpointAnnotation(
    ProtocolType protocol, string? uriScheme = null, string? transport = null, string? name = null,
    int? port = null, int? targetPort = null, bool? isExternal = null, bool? isProxied = null) : IResourceAnnotation
{
    public string Name { get; set; } = name ?? uriScheme ?? protocol.ToString().ToLowerInvariant();
    public string UriScheme { get; set; } = uriScheme ?? protocol.ToString().ToLowerInvariant();
    public string? Transport { get; set; } = transport;
    public string TargetHost { get; set; } = "localhost";
    public int? Port { get; set; } = port;
    public int? TargetPort { get; set; } = targetPort;
    public bool IsExternal { get; set; } = isExternal ?? false;
    public bool IsProxied { get; set; } = isProxied ?? true;
    public AllocatedEndpoint? AllocatedEndpoint { get; set; }

    /// <summary>The variable that tells the process its port, when it is told one (<c>env:</c>).</summary>
    internal string? PortVariable { get; init; }

    internal bool IsHttp => UriScheme is "http" or "https";
}

public class AllocatedEndpoint(EndpointAnnotation endpoint, string address, int port)
{
    public EndpointAnnotation Endpoint { get; } = endpoint;
    public string Address { get; } = address;
    public int Port { get; } = port;
    public string UriString => $"{Endpoint.UriScheme}://{Address}:{Port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>A port that somebody chose is used as it is or refused; one that was picked may be picked anew.</summary>
    internal bool IsPicked { get; init; }
}

public enum EndpointProperty { Url, Host, IPV4Host, Port, Scheme, TargetPort, HostAndPort }

public sealed class EndpointReference(IResourceWithEndpoints owner, string endpointName) : IExpressionValue, IValueWithReferences
{
    public IResourceWithEndpoints Resource { get; } = owner;
    public string EndpointName { get; } = endpointName;
    public string Host => Allocated.Address;
    public int Port => Allocated.Port;
    public string Scheme => EndpointAnnotation.UriScheme;
    public string Url => Allocated.UriString;
    public string ValueExpression => $"{{{Resource.Name}.bindings.{EndpointName}.url}}";
    public IEnumerable<object> References => [Resource];

    public EndpointAnnotation EndpointAnnotation => Resource.Endpoint(EndpointName)
        ?? throw new InvalidOperationException($"Resource '{Resource.Name}' has no endpoint '{EndpointName}'.");

    private AllocatedEndpoint Allocated => EndpointAnnotation.AllocatedEndpoint ?? throw new InvalidOperationException(
        $"The endpoint '{EndpointName}' of resource '{Resource.Name}' has no port: the application has not started"
        + $" or ConnectionStrings__{Resource.Name} is given from outside.");

    public EndpointReferenceExpression Property(EndpointProperty property) => new(this, property);

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(Url);
}

public class EndpointReferenceExpression(EndpointReference endpointReference, EndpointProperty property)
    : IExpressionValue, IValueWithReferences
{
    public EndpointReference Endpoint { get; } = endpointReference;
    public EndpointProperty Property { get; } = property;
    public IEnumerable<object> References => [Endpoint];

    public string ValueExpression =>
        $"{{{Endpoint.Resource.Name}.bindings.{Endpoint.EndpointName}.{Property.ToString().ToLowerInvariant()}}}";

    public ValueTask<string?> GetValueAsync(CancellationToken cancellationToken = default) => ValueTask.FromResult<string?>(
        Property switch
        {
            EndpointProperty.Url => Endpoint.Url,
            EndpointProperty.Host => Endpoint.Host,
            EndpointProperty.IPV4Host => "127.0.0.1",
            EndpointProperty.Scheme => Endpoint.Scheme,
            EndpointProperty.HostAndPort => $"{Endpoint.Host}:{Endpoint.Port.ToString(CultureInfo.InvariantCulture)}",
            // There is no proxy and no container network: a process listens on the port that others connect to.
            EndpointProperty.Port or EndpointProperty.TargetPort => Endpoint.Port.ToString(CultureInfo.InvariantCulture),
            _ => throw new InvalidOperationException($"Unknown endpoint property {Property}."),
        });
}
