using System.Collections;
using System.Globalization;
using Aspire.Hosting.ApplicationModel;

namespace Ariya.Hosting.Local.Orchestration;

/// <summary>The variables and arguments that a resource is started with.</summary>
internal static class ChildEnvironment
{
    // What the host was started with is not meant for its children; and a developer's shell may name another database or relay:
    // nobody's other database is ever migrated.
    private static readonly string[] s_cleared =
        ["ASPNETCORE_URLS", "DOTNET_LAUNCH_PROFILE", "ASPNETCORE_ENVIRONMENT", "DOTNET_ENVIRONMENT", "DATABASE_URL", "REDIS_URL"];

    public static Dictionary<string, string> InheritedFrom(IDictionary variables) =>
        variables.Cast<DictionaryEntry>().Select(variable => (Name: (string)variable.Key, Value: (string?)variable.Value ?? ""))
            .Where(variable => !s_cleared.Contains(variable.Name, StringComparer.OrdinalIgnoreCase)
                && !variable.Name.StartsWith("SMTP_", StringComparison.OrdinalIgnoreCase)
                && !variable.Name.StartsWith("ASPIRE_", StringComparison.OrdinalIgnoreCase))
            .ToDictionary(variable => variable.Name, variable => variable.Value);

    public static async Task<Dictionary<string, string>> OfAsync(IResource resource, CancellationToken cancellationToken)
    {
        var context = new EnvironmentCallbackContext(resource, cancellationToken);
        foreach (var annotation in resource.All<EnvironmentCallbackAnnotation>().ToList())
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

    public static async Task<List<string>> ArgumentsOfAsync(IResource resource, CancellationToken cancellationToken)
    {
        var arguments = new List<string>();
        foreach (var argument in resource.All<ArgumentAnnotation>())
        {
            if (await TextOfAsync(argument.Value, cancellationToken) is { } text)
            {
                arguments.Add(text);
            }
        }

        return arguments;
    }

    private static async ValueTask<string?> TextOfAsync(object value, CancellationToken cancellationToken) => value switch
    {
        IValueProvider provider => await provider.GetValueAsync(cancellationToken),
        IResourceBuilder<IResource> { Resource: IValueProvider provider } => await provider.GetValueAsync(cancellationToken),
        _ => Convert.ToString(value, CultureInfo.InvariantCulture),
    };
}
