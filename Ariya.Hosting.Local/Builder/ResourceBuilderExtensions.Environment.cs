using Aspire.Hosting.ApplicationModel;

namespace Aspire.Hosting;

public static partial class ResourceBuilderExtensions
{
    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, string? value)
        where T : IResourceWithEnvironment => builder.WithEnvironment(context => context.EnvironmentVariables[name] = value ?? "");

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder, string name, in ReferenceExpression.ExpressionInterpolatedStringHandler value)
        where T : IResourceWithEnvironment => builder.WithEnvironment(name, ReferenceExpression.Create(value));

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, ReferenceExpression value)
        where T : IResourceWithEnvironment => Referring(builder, name, value);

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, string name, Func<string> callback)
        where T : IResourceWithEnvironment => builder.WithEnvironment(context => context.EnvironmentVariables[name] = callback());

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Action<EnvironmentCallbackContext> callback)
        where T : IResourceWithEnvironment =>
        builder.WithEnvironment(context =>
        {
            callback(context);
            return Task.CompletedTask;
        });

    public static IResourceBuilder<T> WithEnvironment<T>(this IResourceBuilder<T> builder, Func<EnvironmentCallbackContext, Task> callback)
        where T : IResourceWithEnvironment => builder.WithAnnotation(new EnvironmentCallbackAnnotation(callback));

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder, string name, EndpointReference endpointReference) where T : IResourceWithEnvironment =>
        Referring(builder, name, endpointReference);

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder, string name, IResourceBuilder<ParameterResource> parameter) where T : IResourceWithEnvironment =>
        Referring(builder, name, parameter.Resource);

    public static IResourceBuilder<T> WithEnvironment<T>(
        this IResourceBuilder<T> builder, string envVarName, IResourceBuilder<IResourceWithConnectionString> resource)
        where T : IResourceWithEnvironment => Referring(builder, envVarName, resource.Resource);

    public static IResourceBuilder<T> WithEnvironment<T, TValue>(this IResourceBuilder<T> builder, string name, TValue value)
        where T : IResourceWithEnvironment where TValue : IValueProvider, IManifestExpressionProvider => Referring(builder, name, value);

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params string[] args) where T : IResourceWithArgs =>
        builder.WithArgs((object[])args);

    public static IResourceBuilder<T> WithArgs<T>(this IResourceBuilder<T> builder, params object[] args) where T : IResourceWithArgs =>
        args.Aggregate(builder, (b, arg) => b.WithAnnotation(new ArgumentAnnotation(arg)));

    /// <summary><c>ConnectionStrings__{name}</c>, and <c>{NAME}_HOST</c> and so on for programs that want the parts.</summary>
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
            if (!resource.Has<GivenConnectionStringAnnotation>())
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
        where TDestination : IResourceWithEnvironment
    {
        AddReferenceTo(builder, source.Resource);
        return builder.WithEnvironment(context =>
        {
            foreach (var endpoint in source.Resource.All<EndpointAnnotation>())
            {
                AddEndpoint(context, new EndpointReference(source.Resource, endpoint.Name));
            }
        });
    }

    public static IResourceBuilder<TDestination> WithReference<TDestination>(
        this IResourceBuilder<TDestination> builder, EndpointReference endpointReference) where TDestination : IResourceWithEnvironment
    {
        AddReferenceTo(builder, endpointReference);
        return builder.WithEnvironment(context => AddEndpoint(context, endpointReference));
    }

    private static void AddEndpoint(EnvironmentCallbackContext context, EndpointReference endpoint)
    {
        var (service, name) = (endpoint.Resource.Name, endpoint.EndpointAnnotation.Name);
        context.EnvironmentVariables[$"services__{service}__{name}__0"] = endpoint;
        context.EnvironmentVariables[$"{VariableName(service)}_{VariableName(name)}"] = endpoint;
    }

    private static IResourceBuilder<T> Referring<T>(IResourceBuilder<T> builder, string name, object value)
        where T : IResourceWithEnvironment
    {
        AddReferenceTo(builder, value);
        return builder.WithEnvironment(context => context.EnvironmentVariables[name] = value);
    }

    private static void AddReferenceTo<T>(IResourceBuilder<T> builder, object value) where T : IResource
    {
        switch (value)
        {
            case IResource resource when !ReferenceEquals(resource, builder.Resource):
                builder.WithAnnotation(new ReferenceAnnotation(resource));
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
