using System.Reflection;
using System.Text.RegularExpressions;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

public partial class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly EntryPointRun? _entryPointRun = EntryPointRun.Current;

    public DistributedApplicationBuilder(string[] args) : this(new DistributedApplicationOptions { Args = args })
    {
    }

    public DistributedApplicationBuilder(DistributedApplicationOptions options) : this(options, new HostApplicationBuilderSettings())
    {
    }

    internal DistributedApplicationBuilder(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        AppHostAssembly = options.AssemblyName is null ? Assembly.GetEntryAssembly() : Assembly.Load(options.AssemblyName);
        AppHostDirectory = options.ProjectDirectory ?? Metadata(AppHostAssembly, "apphostprojectpath") ?? Directory.GetCurrentDirectory();

        settings.Args = options.Args;
        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection([new("hostBuilder:reloadConfigOnChange", "false")]);
        settings.Configuration.AddEnvironmentVariables("ASPIRE_");
        settings.ContentRootPath ??= AppHostDirectory;
        _entryPointRun?.Constructing(options, settings);

        _host = new HostApplicationBuilder(settings);
        _host.Configuration["AppHost:Directory"] = AppHostDirectory;
        LocalHosting.AddLocalHosting(_host, Resources, Eventing, ExecutionContext, withPage: !options.DisableDashboard);
    }

    public ConfigurationManager Configuration => _host.Configuration;

    public string AppHostDirectory { get; }

    public Assembly? AppHostAssembly { get; }

    public IHostEnvironment Environment => _host.Environment;

    public IServiceCollection Services => _host.Services;

    public IDistributedApplicationEventing Eventing { get; } = new DistributedApplicationEventing();

    public DistributedApplicationExecutionContext ExecutionContext { get; } = new(DistributedApplicationOperation.Run);

    public IResourceCollection Resources { get; } = new ResourceCollection();

    internal SecretStore Secrets => field ??= new SecretStore(RunMode.IsTesting(Configuration));

    public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource
    {
        if (!ResourceName().IsMatch(resource.Name))
        {
            throw new ArgumentException($"'{resource.Name}' is no resource name: 1 to 64 letters, digits and single hyphens, a letter"
                + " first and no hyphen last.", nameof(resource));
        }

        if (Resources.TryGetByName(resource.Name, out var other))
        {
            throw new DistributedApplicationException($"The name '{resource.Name}' is taken by a {other.GetType().Name}.");
        }

        Resources.Add(resource);
        return CreateResourceBuilder(resource);
    }

    public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => new ResourceBuilder<T>(this, resource);

    public DistributedApplication Build()
    {
        _entryPointRun?.Building(this);
        var application = new DistributedApplication(_host.Build());
        _entryPointRun?.Built(application);
        return application;
    }

    /// <summary>What was baked into an assembly at build: the AppHost's folder, the outputs of the projects it starts.</summary>
    internal static string? Metadata(Assembly? assembly, string key) =>
        assembly?.GetCustomAttributes<AssemblyMetadataAttribute>()
            .FirstOrDefault(a => string.Equals(a.Key, key, StringComparison.OrdinalIgnoreCase))?.Value;

    [GeneratedRegex("^(?=.{1,64}$)[A-Za-z](-?[A-Za-z0-9])*$")]
    private static partial Regex ResourceName();

    private sealed class ResourceBuilder<T>(DistributedApplicationBuilder builder, T resource) : IResourceBuilder<T> where T : IResource
    {
        public IDistributedApplicationBuilder ApplicationBuilder => builder;

        public T Resource => resource;

        public IResourceBuilder<T> WithAnnotation<TAnnotation>(
            TAnnotation annotation, ResourceAnnotationMutationBehavior behavior = ResourceAnnotationMutationBehavior.Append)
            where TAnnotation : IResourceAnnotation
        {
            if (behavior == ResourceAnnotationMutationBehavior.Replace)
            {
                foreach (var replaced in resource.Annotations.OfType<TAnnotation>().ToList())
                {
                    resource.Annotations.Remove(replaced);
                }
            }

            resource.Annotations.Add(annotation);
            return this;
        }
    }
}
