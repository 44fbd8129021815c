namespace Aspire.Hosting.ApplicationModel;

internal enum WaitType { WaitUntilHealthy, WaitForCompletion, WaitUntilStarted }

internal sealed record WaitAnnotation(IResource Resource, WaitType WaitType, int ExitCode) : IResourceAnnotation;

internal sealed record HealthCheckAnnotation(string Key) : IResourceAnnotation;

internal sealed record EnvironmentCallbackAnnotation(Func<EnvironmentCallbackContext, Task> Callback) : IResourceAnnotation;

/// <summary>One argument: text, or an <see cref="IValueProvider"/> that is asked when the process starts.</summary>
internal sealed record ArgumentAnnotation(object Value) : IResourceAnnotation;

/// <summary>The data folder of a local server is kept as a whole, so that the path inside the container does not matter.</summary>
internal sealed record VolumeAnnotation(string? Name, string Target, bool IsReadOnly) : IResourceAnnotation;

internal sealed record ExplicitStartupAnnotation : IResourceAnnotation;

internal sealed record UrlAnnotation(string Url, string? DisplayText) : IResourceAnnotation;

/// <summary>The resource was started with values of another one; when that gets another port, this one is started anew.</summary>
internal sealed record ReferenceAnnotation(IResource Resource) : IResourceAnnotation;

/// <summary>The caller gave <c>ConnectionStrings:{name}</c>: nothing is started for the resource, the string is passed on.</summary>
internal sealed record GivenConnectionStringAnnotation(string Value) : IResourceAnnotation;

internal sealed record ProjectAssemblyAnnotation(string ProjectPath, string AssemblyPath) : IResourceAnnotation;

internal sealed record ContainerImageAnnotation : IResourceAnnotation
{
    public required string Image { get; init; }
    public string? Registry { get; set; }
    public string? Tag { get; set; }
    public string FullName => (Registry is null ? "" : Registry + "/") + Image + (Tag is null ? "" : ":" + Tag);
}

public class EnvironmentCallbackContext(IResource resource, CancellationToken cancellationToken)
{
    /// <summary>Text, or an <see cref="IValueProvider"/> that is asked when the process starts.</summary>
    public Dictionary<string, object> EnvironmentVariables { get; } = [];
    public IResource Resource { get; } = resource;
    public CancellationToken CancellationToken { get; } = cancellationToken;
}

internal static class AnnotationExtensions
{
    public static IEnumerable<T> All<T>(this IResource resource) where T : IResourceAnnotation => resource.Annotations.OfType<T>();

    public static T? Last<T>(this IResource resource) where T : class, IResourceAnnotation => resource.All<T>().LastOrDefault();

    public static bool Has<T>(this IResource resource) where T : IResourceAnnotation => resource.All<T>().Any();

    public static EndpointAnnotation? Endpoint(this IResource resource, string name) =>
        resource.All<EndpointAnnotation>().FirstOrDefault(e => string.Equals(e.Name, name, StringComparison.OrdinalIgnoreCase));
}
