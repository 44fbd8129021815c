using System.Collections;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

internal sealed record ProjectAssemblyAnnotation(string ProjectPath, string AssemblyPath) : IResourceAnnotation;

/// <summary>The variables and arguments that a resource is started with.</summary>
internal static class ChildEnvironment
{
    // What the host was started with is not meant for its children.
    private static readonly string[] s_ownVariables =
        ["ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT"];

    // A developer's shell may name another database or relay: nobody's other database is ever migrated.
    private static readonly string[] s_otherServers = ["DATABASE_URL", "REDIS_URL"];

    public static Dictionary<string, string> InheritedFrom(IDictionary variables)
    {
        var inherited = new Dictionary<string, string>();
        foreach (DictionaryEntry variable in variables)
        {
            var name = (string)variable.Key;
            if (!s_ownVariables.Contains(name, StringComparer.OrdinalIgnoreCase)
                && !s_otherServers.Contains(name, StringComparer.OrdinalIgnoreCase)
                && !name.StartsWith("SMTP_", StringComparison.OrdinalIgnoreCase)
                && !name.StartsWith("ASPIRE_", StringComparison.OrdinalIgnoreCase))
            {
                inherited[name] = (string?)variable.Value ?? "";
            }
        }

        return inherited;
    }

    public static async Task<Dictionary<string, string>> OfAsync(
        IResource resource, DistributedApplicationExecutionContext execution, ResourceLoggerService consoles,
        CancellationToken cancellationToken)
    {
        var context = new EnvironmentCallbackContext(execution, resource, consoles.GetLogger(resource), cancellationToken);
        foreach (var annotation in resource.Annotations.OfType<EnvironmentCallbackAnnotation>().ToList())
        {
            await annotation.Callback(context);
        }

        var variables = new Dictionary<string, string>();
        foreach (var (name, value) in context.EnvironmentVariables)
        {
            if (await TextOfAsync(value, cancellationToken) is { } text)
            {
                variables[name] = text;
            }
        }

        return variables;
    }

    public static async Task<List<string>> ArgumentsOfAsync(
        IResource resource, DistributedApplicationExecutionContext execution, CancellationToken cancellationToken)
    {
        var context = new CommandLineArgsCallbackContext(execution, resource, cancellationToken);
        foreach (var annotation in resource.Annotations.OfType<CommandLineArgsCallbackAnnotation>().ToList())
        {
            await annotation.Callback(context);
        }

        var arguments = new List<string>();
        foreach (var argument in context.Args)
        {
            if (await TextOfAsync(argument, cancellationToken) is { } text)
            {
                arguments.Add(text);
            }
        }

        return arguments;
    }

    private static async ValueTask<string?> TextOfAsync(object value, CancellationToken cancellationToken) => value switch
    {
        string text => text,
        IValueProvider provider => await provider.GetValueAsync(cancellationToken),
        IResourceBuilder<IResource> { Resource: IValueProvider provider } => await provider.GetValueAsync(cancellationToken),
        _ => Convert.ToString(value, System.Globalization.CultureInfo.InvariantCulture),
    };
}
