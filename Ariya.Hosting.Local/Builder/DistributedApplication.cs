using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Aspire.Hosting.Testing;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

namespace Aspire.Hosting;

public class DistributedApplication(IHost host) : IHost, IAsyncDisposable
{
    private bool _isStarted;

    public IServiceProvider Services => host.Services;
    public ResourceNotificationService ResourceNotifications => Services.GetRequiredService<ResourceNotificationService>();
    public ResourceCommandService ResourceCommands => Services.GetRequiredService<ResourceCommandService>();
    internal IHost Host => host;

    public static IDistributedApplicationBuilder CreateBuilder(string[] args) =>
        CreateBuilder(new DistributedApplicationOptions { Args = args });

    public static IDistributedApplicationBuilder CreateBuilder(DistributedApplicationOptions options) =>
        new DistributedApplicationBuilder(options, new HostApplicationBuilderSettings());

    public virtual async Task StartAsync(CancellationToken cancellationToken = default)
    {
        _isStarted = true;
        await Services.GetRequiredService<ModelCheck>().PrepareAsync(cancellationToken);
        await host.StartAsync(cancellationToken);
    }

    public virtual async Task StopAsync(CancellationToken cancellationToken = default)
    {
        _isStarted = false;
        await host.StopAsync(cancellationToken);
    }

    public virtual async Task RunAsync(CancellationToken cancellationToken = default)
    {
        await Services.GetRequiredService<ModelCheck>().PrepareAsync(cancellationToken);
        await host.RunAsync(cancellationToken);
    }

    /// <summary>Runs until Ctrl+C, SIGTERM or a failure that makes the run pointless; such a failure is printed, exit code 1.</summary>
    public void Run()
    {
        var failure = Services.GetRequiredService<RunFailure>();
        if (EntryPointRun.Current is not null)
        {
            RunAsync().Wait();
            return;
        }

        try
        {
            RunAsync().GetAwaiter().GetResult();
        }
        catch (DistributedApplicationException e)
        {
            failure.Message ??= e.Message;
        }

        if (failure.Message is not null)
        {
            Console.Error.WriteLine(failure.Message);
            Environment.ExitCode = 1;
        }
    }

    public virtual void Dispose()
    {
        DisposeAsync().AsTask().GetAwaiter().GetResult();
        GC.SuppressFinalize(this);
    }

    public virtual async ValueTask DisposeAsync()
    {
        if (_isStarted)
        {
            await StopAsync();
        }

        await ((IAsyncDisposable)host).DisposeAsync();
        GC.SuppressFinalize(this);
    }
}
