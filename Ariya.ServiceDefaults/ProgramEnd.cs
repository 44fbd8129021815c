using System.Reflection;
using Ariya.ServiceDefaults.Logging;
using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Microsoft.Extensions.Hosting;

/// <summary>
/// How a program ends: with 0 when it was asked to; with 1 after a failure that nobody caught, in a hosted service or on a thread too, which is
/// in the log exactly once, or on standard error while there is no log yet.
/// </summary>
public static partial class ProgramEnd
{
    private const int Failed = 1;

    private static IHost? s_host;
    private static bool s_isLogged;

    /// <summary>Goes first in a program. Where another program has loaded it, as tests do, failures are that one's business.</summary>
    public static void OnFailure()
    {
        if (Assembly.GetEntryAssembly() == Assembly.GetCallingAssembly())
        {
            AppDomain.CurrentDomain.UnhandledException += (_, failure) => End((Exception)failure.ExceptionObject);
        }
    }

    /// <summary>Starts the program and waits until it was asked to end and has ended.</summary>
    /// <returns>Its exit code: 1 when a hosted service failed, which ends the program.</returns>
    public static async Task<int> RunToEndAsync(this IHost host)
    {
        s_host = host;
        var logger = LoggerOf(host);
        var hasFailed = false;
        try
        {
            await host.StartAsync();
            var lifetime = host.Services.GetRequiredService<IHostApplicationLifetime>();
            foreach (var service in host.Services.GetServices<IHostedService>().OfType<BackgroundService>())
            {
                _ = WatchAsync(service.ExecuteTask ?? Task.CompletedTask, lifetime);
            }

            await host.WaitForShutdownAsync();
        }
        catch (Exception failure)
        {
            Log.Unhandled(logger, failure);
            s_isLogged = true;
            throw;
        }
        finally
        {
            // What is still to be logged is written.
            await ((IAsyncDisposable)host).DisposeAsync();
        }

        return hasFailed ? Failed : 0;

        async Task WatchAsync(Task work, IHostApplicationLifetime lifetime)
        {
            await work.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            if (work.IsFaulted || (work.IsCanceled && !lifetime.ApplicationStopping.IsCancellationRequested))
            {
                Log.Unhandled(logger, work.Exception?.InnerException ?? new TaskCanceledException(work));
                Volatile.Write(ref hasFailed, true);
                lifetime.StopApplication();
            }
        }
    }

    // The host's own records are silenced (Telemetry.cs): they come at their own time, which may be after the end of the log.
    private static ILogger LoggerOf(IHost host) => host.Services.GetRequiredService<ILoggerFactory>().CreateLogger(LogTroubles.Category);

    private static void End(Exception failure)
    {
        if (s_host is null)
        {
            Console.Error.WriteLine(failure is WrongSettingsException ? failure.Message : failure);
        }
        else if (!s_isLogged)
        {
            Log.Unhandled(LoggerOf(s_host), failure);
            // Lines are written by threads of their own, which this waits for.
            foreach (var provider in s_host.Services.GetServices<ILoggerProvider>())
            {
                provider.Dispose();
            }
        }

        Environment.Exit(Failed);
    }

    private static partial class Log
    {
        [LoggerMessage(5, LogLevel.Critical, "The program ends: nobody handled an exception")]
        public static partial void Unhandled(ILogger logger, Exception failure);
    }
}
