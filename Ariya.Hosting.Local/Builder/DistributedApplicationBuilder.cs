using System.Reflection;
using System.Text.RegularExpressions;
using Ariya.Hosting.Local.Orchestration;
using Ariya.Hosting.Local.Page;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Aspire.Hosting;

public partial class DistributedApplicationBuilder : IDistributedApplicationBuilder
{
    private readonly HostApplicationBuilder _host;
    private readonly EntryPointRun? _entryPointRun = EntryPointRun.Current;

    internal DistributedApplicationBuilder(DistributedApplicationOptions options, HostApplicationBuilderSettings settings)
    {
        AppHostAssembly = Assembly.GetEntryAssembly();
        AppHostDirectory = options.ProjectDirectory ?? Metadata(AppHostAssembly, "apphostprojectpath") ?? Directory.GetCurrentDirectory();

        settings.Args = options.Args;
        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection([new("hostBuilder:reloadConfigOnChange", "false")]);
        settings.Configuration.AddEnvironmentVariables("ASPIRE_");
        settings.ContentRootPath ??= AppHostDirectory;
        _entryPointRun?.Constructing(options, settings);

        _host = new HostApplicationBuilder(settings);
        _host.Configuration["AppHost:Directory"] = AppHostDirectory;
        Secrets = new SecretStore(DataFolders.RootOf(_host.Configuration), RunMode.IsTesting(_host.Configuration));
        AddServices(withPage: !options.DisableDashboard);
    }

    public ConfigurationManager Configuration => _host.Configuration;
    public string AppHostDirectory { get; }
    public Assembly? AppHostAssembly { get; }
    public IHostEnvironment Environment => _host.Environment;
    public IServiceCollection Services => _host.Services;
    public IDistributedApplicationEventing Eventing { get; } = new DistributedApplicationEventing();
    public DistributedApplicationExecutionContext ExecutionContext { get; } = new(DistributedApplicationOperation.Run);
    public IResourceCollection Resources { get; } = new ResourceCollection();
    internal SecretStore Secrets { get; }

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

    private void AddServices(bool withPage)
    {
        // The console belongs to the report; a failing health check is a state, not an event to log every second.
        _host.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        _host.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        _host.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);

        var services = _host.Services;
        services.AddHealthChecks();
        services.AddHttpClient();
        services.AddSingleton(TimeProvider.System);
        services.AddSingleton(new DistributedApplicationModel(Resources));
        services.AddSingleton(Eventing);
        services.AddSingleton<DataFolders>();
        services.AddSingleton<RunFailure>();
        services.AddSingleton<ResourceLoggerService>();
        services.AddSingleton<ResourceNotificationService>();
        services.AddSingleton(s => new ResourceCommandService(s.GetRequiredService<Orchestrator>()));
        services.AddSingleton<ChildProcesses>();
        services.AddSingleton(s => new EndpointAllocation(Configuration, s.GetRequiredService<DataFolders>(), withPage));
        services.AddSingleton<StartCommand>();
        services.AddSingleton<ModelCheck>();
        services.AddSingleton<RunParts>();
        services.AddSingleton<Orchestrator>();

        // They start in this order and stop in the reverse one.
        if (withPage)
        {
            services.AddSingleton<HostPage>();
            services.AddHostedService<ParentWatch>();
            services.AddHostedService(s => s.GetRequiredService<HostPage>());
            services.AddHostedService<ConsoleReport>();
        }

        services.AddHostedService<HealthMonitor>();
        services.AddHostedService(s => s.GetRequiredService<Orchestrator>());
    }

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
                foreach (var replaced in resource.All<TAnnotation>().ToList())
                {
                    resource.Annotations.Remove(replaced);
                }
            }

            resource.Annotations.Add(annotation);
            return this;
        }
    }
}
