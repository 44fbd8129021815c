using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    /// <summary>
    /// <c>ConnectionStrings__{name}</c>, and <c>{NAME}_HOST</c> and so on for programs that want the parts.
    /// </summary>
    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithConnectionString> source,
        string? connectionName = null, bool optional = false) where TDestination : IResourceWithEnvironment
    {
        var resource = source.Resource;
        connectionName ??= resource.Name;
        AddReferenceTo(builder, resource);
        return builder.WithEnvironment(async context =>
        {
            var value = await resource.GetConnectionStringAsync(context.CancellationToken);
            if (string.IsNullOrEmpty(value))
            {
                if (!optional)
                {
                    throw new DistributedApplicationException($"'{resource.Name}' has no connection string.");
                }

                return;
            }

            context.EnvironmentVariables[resource.ConnectionStringEnvironmentVariable ?? $"ConnectionStrings__{connectionName}"] = value;
            // The parts of a string that was given from outside are not known.
            if (!resource.Annotations.OfType<GivenConnectionStringAnnotation>().Any())
            {
                foreach (var (property, expression) in resource.GetConnectionProperties())
                {
                    context.EnvironmentVariables[$"{VariableName(connectionName)}_{VariableName(property)}"] = expression;
                }
            }
        });
    }

    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source)
        where TDestination : IResourceWithEnvironment => builder.WithReference(source, source.Resource.Name);

    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, IResourceBuilder<IResourceWithServiceDiscovery> source, string name)
        where TDestination : IResourceWithEnvironment
    {
        AddReferenceTo(builder, source.Resource);
        return builder.WithEnvironment(context =>
        {
            foreach (var endpoint in source.Resource.Annotations.OfType<EndpointAnnotation>().Where(e => !e.ExcludeReferenceEndpoint))
            {
                AddEndpoint(context, name, endpoint, new EndpointReference(source.Resource, endpoint.Name));
            }
        });
    }

    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, EndpointReference endpointReference) where TDestination : IResourceWithEnvironment
    {
        AddReferenceTo(builder, endpointReference);
        return builder.WithEnvironment(context =>
            AddEndpoint(context, endpointReference.Resource.Name, endpointReference.EndpointAnnotation, endpointReference));
    }

    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, string name, Uri uri) where TDestination : IResourceWithEnvironment =>
        builder.WithEnvironment($"services__{name}__default__0", uri.ToString());

    private static void AddEndpoint(
        EnvironmentCallbackContext context, string service, EndpointAnnotation endpoint, EndpointReference value)
    {
        var key = endpoint.Name is "http" or "https" ? endpoint.UriScheme : endpoint.Name;
        for (var index = 0; ; index++)
        {
            if (context.EnvironmentVariables.TryAdd(
                string.Create(CultureInfo.InvariantCulture, $"services__{service}__{key}__{index}"), value))
            {
                break;
            }
        }

        context.EnvironmentVariables[$"{VariableName(service)}_{VariableName(endpoint.Name)}"] = value;
    }

    /// <summary>Remembers whose values a resource was started with: if that resource gets another port, this one is started anew.</summary>
    private static void AddReferenceTo<T>(IResourceBuilder<T> builder, object value) where T : IResource
    {
        switch (value)
        {
            case IResource resource when !ReferenceEquals(resource, builder.Resource):
                builder.WithAnnotation(new ResourceRelationshipAnnotation(resource, "Reference"));
                if (resource is IResourceWithParent child)
                {
                    AddReferenceTo(builder, child.Parent);
                }

                break;
            case IValueWithReferences and not IResource:
                foreach (var reference in ((IValueWithReferences)value).References)
                {
                    AddReferenceTo(builder, reference);
                }

                break;
        }
    }

    private static string VariableName(string name) =>
        string.Concat(name.Select(c => char.IsAsciiLetterOrDigit(c) ? char.ToUpperInvariant(c) : '_'));
}
