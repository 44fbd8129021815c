using System.Net.Sockets;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    /// <summary>There is no proxy: the process listens on the port itself, and <paramref name="env"/> tells it which.</summary>
    public static IResourceBuilder<T> WithEndpoint<T>(
        this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? scheme = null, string? name = null,
        string? env = null, bool? isProxied = null, bool? isExternal = null, ProtocolType? protocol = null)
        where T : IResourceWithEndpoints
    {
        var endpoint = new EndpointAnnotation(
            protocol ?? ProtocolType.Tcp, scheme, name: name, port: port, targetPort: targetPort, isExternal: isExternal,
            isProxied: isProxied)
        {
            PortVariable = env,
        };
        if (builder.Resource.Endpoint(endpoint.Name) is { } existing)
        {
            builder.Resource.Annotations.Remove(existing);
        }

        if (env is not null)
        {
            var listeningPort = new EndpointReference(builder.Resource, endpoint.Name).Property(EndpointProperty.TargetPort);
            builder.WithAnnotation(new EnvironmentCallbackAnnotation(context =>
            {
                context.EnvironmentVariables[env] = listeningPort;
                return Task.CompletedTask;
            }));
        }

        return builder.WithAnnotation(endpoint);
    }

    public static IResourceBuilder<T> WithHttpEndpoint<T>(
        this IResourceBuilder<T> builder, int? port = null, int? targetPort = null, string? name = null, string? env = null,
        bool? isProxied = null) where T : IResourceWithEndpoints =>
        builder.WithEndpoint(port: port, targetPort: targetPort, scheme: "http", name: name, env: env, isProxied: isProxied);

    public static IResourceBuilder<T> WithExternalHttpEndpoints<T>(this IResourceBuilder<T> builder) where T : IResourceWithEndpoints
    {
        foreach (var endpoint in builder.Resource.All<EndpointAnnotation>().Where(e => e.IsHttp))
        {
            endpoint.IsExternal = true;
        }

        return builder;
    }

    public static EndpointReference GetEndpoint<T>(this IResourceBuilder<T> builder, string name) where T : IResourceWithEndpoints =>
        new(builder.Resource, name);

    public static IResourceBuilder<T> WithUrl<T>(this IResourceBuilder<T> builder, string url, string? displayText = null)
        where T : IResource => builder.WithAnnotation(new UrlAnnotation(url, displayText));

    public static IResourceBuilder<T> WithHealthCheck<T>(this IResourceBuilder<T> builder, string key) where T : IResource =>
        builder.WithAnnotation(new HealthCheckAnnotation(key));

    public static IResourceBuilder<T> WithHttpHealthCheck<T>(
        this IResourceBuilder<T> builder, string? path = null, int? statusCode = null, string? endpointName = null)
        where T : IResourceWithEndpoints
    {
        var name = endpointName ?? (builder.Resource.Endpoint("https") is null ? "http" : "https");
        if (builder.Resource.Endpoint(name) is not { IsHttp: true })
        {
            throw new DistributedApplicationException($"'{builder.Resource.Name}' has no HTTP endpoint '{name}' to check.");
        }

        var check = new HttpHealthCheck(builder.GetEndpoint(name), path ?? "/", statusCode ?? 200);
        var key = $"{builder.Resource.Name}_{name}_{path ?? "/"}_{statusCode ?? 200}_check";
        builder.ApplicationBuilder.Services.AddHealthChecks().AddCheck(key, check);
        return builder.WithHealthCheck(key);
    }

    /// <summary>Starts after the dependency runs, is healthy and its ready handlers have ended.</summary>
    public static IResourceBuilder<T> WaitFor<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport
    {
        if (dependency.Resource is IResourceWithParent child)
        {
            AddWait(builder, child.Parent, WaitType.WaitUntilHealthy);
        }

        return AddWait(builder, dependency.Resource, WaitType.WaitUntilHealthy);
    }

    public static IResourceBuilder<T> WaitForStart<T>(this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency)
        where T : IResourceWithWaitSupport => AddWait(builder, dependency.Resource, WaitType.WaitUntilStarted);

    public static IResourceBuilder<T> WaitForCompletion<T>(
        this IResourceBuilder<T> builder, IResourceBuilder<IResource> dependency, int exitCode = 0)
        where T : IResourceWithWaitSupport => AddWait(builder, dependency.Resource, WaitType.WaitForCompletion, exitCode);

    public static IResourceBuilder<T> WithExplicitStart<T>(this IResourceBuilder<T> builder) where T : IResource =>
        builder.WithAnnotation(new ExplicitStartupAnnotation());

    /// <summary>There is no manifest here to be excluded from.</summary>
    public static IResourceBuilder<T> ExcludeFromManifest<T>(this IResourceBuilder<T> builder) where T : IResource => builder;

    public static IResourceBuilder<T> OnBeforeResourceStarted<T>(
        this IResourceBuilder<T> builder, Func<T, BeforeResourceStartedEvent, CancellationToken, Task> callback) where T : IResource =>
        Subscribe(builder, callback);

    public static IResourceBuilder<T> OnResourceReady<T>(
        this IResourceBuilder<T> builder, Func<T, ResourceReadyEvent, CancellationToken, Task> callback) where T : IResource =>
        Subscribe(builder, callback);

    private static IResourceBuilder<T> Subscribe<T, TEvent>(
        IResourceBuilder<T> builder, Func<T, TEvent, CancellationToken, Task> callback)
        where T : IResource where TEvent : IDistributedApplicationResourceEvent
    {
        builder.ApplicationBuilder.Eventing.Subscribe<TEvent>(
            builder.Resource, (e, cancel) => callback(builder.Resource, e, cancel));
        return builder;
    }

    private static IResourceBuilder<T> AddWait<T>(IResourceBuilder<T> builder, IResource dependency, WaitType type, int exitCode = 0)
        where T : IResourceWithWaitSupport =>
        ReferenceEquals(builder.Resource, dependency)
            || (builder.Resource is IResourceWithParent child && ReferenceEquals(child.Parent, dependency))
            ? throw new DistributedApplicationException($"'{builder.Resource.Name}' cannot wait for itself or its parent.")
            : builder.WithAnnotation(new WaitAnnotation(dependency, type, exitCode));
}
