using System.Diagnostics;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Hosting;

/// <summary>Loaded into the product's own programs by the runtime, where DOTNET_STARTUP_HOOKS names this assembly: something in them fails.</summary>
internal static class StartupHook
{
    public const string Setting = "ARIYA_TEST_FAILURE";
    public const string OfService = "service";
    public const string OfThread = "thread";
    public const string Words = "planted failure";

    public static void Initialize()
    {
        if (Environment.GetEnvironmentVariable(Setting) is { } failure)
        {
            DiagnosticListener.AllListeners.Subscribe(new Listener<DiagnosticListener>(listener =>
            {
                if (listener.Name == "Microsoft.Extensions.Hosting")
                {
                    listener.Subscribe(new Listener<KeyValuePair<string, object?>>(@event => Plant(@event, failure)));
                }
            }));
        }
    }

    private static void Plant(KeyValuePair<string, object?> @event, string failure)
    {
        if (@event is { Key: "HostBuilding", Value: IHostBuilder builder })
        {
            builder.ConfigureServices(services => services.AddHostedService(provider =>
                new Failing(failure, provider.GetRequiredService<IHostApplicationLifetime>())));
        }
    }

    private sealed class Failing(string failure, IHostApplicationLifetime lifetime) : BackgroundService
    {
        protected override async Task ExecuteAsync(CancellationToken stoppingToken)
        {
            var started = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
            await using (lifetime.ApplicationStarted.Register(started.SetResult))
            {
                await started.Task;
            }

            if (failure == OfThread)
            {
                new Thread(() => throw new InvalidDataException(Words)).Start();
                return;
            }

            throw new InvalidDataException(Words);
        }
    }

    private sealed class Listener<T>(Action<T> act) : IObserver<T>
    {
        public void OnNext(T value) => act(value);

        public void OnError(Exception error)
        {
        }

        public void OnCompleted()
        {
        }
    }
}
