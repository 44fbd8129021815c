using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.Configuration;

namespace Aspire.Hosting;

public static class ParameterResourceBuilderExtensions
{
    /// <summary>Its value is <c>Parameters:{name}</c> of the configuration.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, bool secret = false) =>
        builder.AddResource(new ParameterResource(
            name, _ => Configured(builder, name) ?? throw Missing(name, $"Parameters:{name}"), secret));

    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, string value, bool publishValueAsDefault = false, bool secret = false)
    {
        // There is no manifest to publish a default to.
        _ = publishValueAsDefault;
        return builder.AddResource(new ParameterResource(name, _ => Configured(builder, name) ?? value, secret));
    }

    /// <summary>A default of its own; with <paramref name="persist"/> it is made once and kept with the development data.</summary>
    public static IResourceBuilder<ParameterResource> AddParameter(
        this IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret = false, bool persist = false) =>
        builder.AddResource(WithDefault(builder, name, value, secret, persist));

    /// <summary>A generated password. It is kept, since a kept data folder knows it.</summary>
    public static ParameterResource CreateDefaultPasswordParameter(
        IDistributedApplicationBuilder builder, string name, bool lower = true, bool upper = true, bool numeric = true, bool special = true)
    {
        var generated = new GenerateParameterDefault
        {
            MinLength = 22,
            Lower = lower,
            Upper = upper,
            Numeric = numeric,
            Special = special,
        };
        return WithDefault(builder, name, generated, secret: true, persist: true);
    }

    public static IResourceBuilder<IResourceWithConnectionString> AddConnectionString(
        this IDistributedApplicationBuilder builder, string name, string? environmentVariableName = null)
    {
        var value = new ParameterResource(
            name, _ => builder.Configuration.GetConnectionString(name) ?? throw Missing(name, $"ConnectionStrings:{name}"), secret: true);
        return builder.AddResource(new ConnectionStringResource(name, ReferenceExpression.Create($"{value}"))
        {
            ConnectionStringEnvironmentVariable = environmentVariableName,
        });
    }

    private static ParameterResource WithDefault(
        IDistributedApplicationBuilder builder, string name, ParameterDefault value, bool secret, bool persist)
    {
        string Default() => persist && builder is DistributedApplicationBuilder { Secrets: var secrets }
            ? secrets.GetOrAdd($"Parameters:{name}", value.GetDefaultValue)
            : value.GetDefaultValue();
        return new ParameterResource(name, _ => Configured(builder, name) ?? Default(), secret) { Default = value };
    }

    /// <summary>An environment variable cannot have a hyphen in every shell, so an underscore does as well.</summary>
    private static string? Configured(IDistributedApplicationBuilder builder, string name) =>
        builder.Configuration[$"Parameters:{name}"] ?? builder.Configuration[$"Parameters:{name.Replace('-', '_')}"];

    private static DistributedApplicationException Missing(string name, string key) =>
        new($"'{name}' has no value: set {key} (as a variable: {key.Replace(":", "__").Replace('-', '_')}).");
}
