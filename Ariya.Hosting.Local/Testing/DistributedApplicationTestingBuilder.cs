using System.Reflection;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting.Testing;

public interface IDistributedApplicationTestingBuilder : IDistributedApplicationBuilder, IAsyncDisposable, IDisposable
{
    Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default);
}

public static class DistributedApplicationTestingBuilder
{
    public static Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(CancellationToken cancellationToken = default)
        where TEntryPoint : class => CreateAsync<TEntryPoint>([], cancellationToken);

    /// <summary>The AppHost's model, as its entry point makes it; it is built and run when the test says so.</summary>
    public static async Task<IDistributedApplicationTestingBuilder> CreateAsync<TEntryPoint>(
        string[] args, CancellationToken cancellationToken = default) where TEntryPoint : class
    {
        var assembly = typeof(TEntryPoint).Assembly;
        var directory = DistributedApplicationBuilder.Metadata(assembly, "apphostprojectpath") ?? Directory.GetCurrentDirectory();
        var profile = LaunchProfile.Read(directory)?.Environment ?? new Dictionary<string, string>();
        var environment = profile.GetValueOrDefault("DOTNET_ENVIRONMENT")
            ?? profile.GetValueOrDefault("ASPNETCORE_ENVIRONMENT") ?? Environments.Production;
        var run = new EntryPointRun(assembly, args, environment);
        var builder = await run.StartAsync(cancellationToken);
        return new TestingBuilder(builder, run.BuildAsync, run.Abandon);
    }

    /// <summary>An empty model.</summary>
    public static IDistributedApplicationTestingBuilder Create(params string[] args)
    {
        var settings = new HostApplicationBuilderSettings();
        ApplyTestSettings(settings);
        var options = new DistributedApplicationOptions { Args = args, DisableDashboard = true };
        var builder = new DistributedApplicationBuilder(options, settings);
        return new TestingBuilder(builder, _ => Task.FromResult(builder.Build()), () => { });
    }

    internal static void ApplyTestSettings(HostApplicationBuilderSettings settings)
    {
        settings.Configuration ??= new ConfigurationManager();
        settings.Configuration.AddInMemoryCollection([new(RunMode.RandomizePorts, "true")]);
    }

    private sealed class TestingBuilder(
        DistributedApplicationBuilder builder, Func<CancellationToken, Task<DistributedApplication>> build, Action abandon)
        : IDistributedApplicationTestingBuilder
    {
        private bool _isBuilt;

        public ConfigurationManager Configuration => builder.Configuration;
        public string AppHostDirectory => builder.AppHostDirectory;
        public Assembly? AppHostAssembly => builder.AppHostAssembly;
        public IHostEnvironment Environment => builder.Environment;
        public IServiceCollection Services => builder.Services;
        public IDistributedApplicationEventing Eventing => builder.Eventing;
        public DistributedApplicationExecutionContext ExecutionContext => builder.ExecutionContext;
        public IResourceCollection Resources => builder.Resources;

        public IResourceBuilder<T> AddResource<T>(T resource) where T : IResource => builder.AddResource(resource);

        public IResourceBuilder<T> CreateResourceBuilder<T>(T resource) where T : IResource => builder.CreateResourceBuilder(resource);

        public Task<DistributedApplication> BuildAsync(CancellationToken cancellationToken = default)
        {
            // From here on the application decides when the entry point ends.
            _isBuilt = true;
            return build(cancellationToken);
        }

        public DistributedApplication Build() => BuildAsync().GetAwaiter().GetResult();

        public void Dispose()
        {
            if (!_isBuilt)
            {
                abandon();
            }
        }

        public ValueTask DisposeAsync()
        {
            Dispose();
            return ValueTask.CompletedTask;
        }
    }
}
