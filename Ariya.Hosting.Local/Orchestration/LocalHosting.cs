using Ariya.Hosting.Local.Page;
using Ariya.Hosting.Local.Processes;
using Aspire.Hosting;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Eventing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace Ariya.Hosting.Local.Orchestration;

internal static class LocalHosting
{
    /// <summary>Hosted services start in this order and stop in the reverse one.</summary>
    public static void AddLocalHosting(
        HostApplicationBuilder builder, IResourceCollection resources, IDistributedApplicationEventing eventing,
        DistributedApplicationExecutionContext execution, bool withPage)
    {
        // The console belongs to the report; a failing health check is a state, not an event to log every second.
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        builder.Logging.AddFilter("Microsoft.Extensions.Diagnostics.HealthChecks", LogLevel.None);
        builder.Logging.AddFilter("System.Net.Http.HttpClient", LogLevel.Warning);

        var services = builder.Services;
        services.AddHealthChecks();
        services.AddHttpClient();
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton(new DistributedApplicationModel(resources));
        services.AddSingleton(eventing);
        services.AddSingleton(execution);
        services.AddSingleton(new PageOption(withPage));
        services.AddSingleton<RunFailure>();
        services.AddSingleton<ResourceLoggerService>();
        services.AddSingleton(s => new ResourceNotificationService(
            s.GetRequiredService<DistributedApplicationModel>(), s.GetRequiredService<ResourceLoggerService>(),
            s.GetRequiredService<IHostApplicationLifetime>()));
        services.AddSingleton(s => new ResourceCommandService(s.GetRequiredService<Orchestrator>));
        services.AddSingleton<DataFolders>();
        services.AddSingleton<ChildProcesses>();
        services.AddSingleton<EndpointAllocation>();
        services.AddSingleton<StartCommand>();
        services.AddSingleton<Model>();
        services.AddSingleton<Orchestrator>();

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
}
