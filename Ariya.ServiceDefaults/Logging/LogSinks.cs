using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;
using Microsoft.Extensions.Logging.Console;

namespace Ariya.ServiceDefaults.Logging;

internal static class LogSinks
{
    public static void AddTo(IHostApplicationBuilder builder)
    {
        builder.AddSettings<LogOptions>(LogOptions.Section);
        builder.Services.TryAddSingleton<LogTroubles>();
        builder.Services.TryAddSingleton<EventRate>();
        builder.Services.TryAddSingleton<Performance>();
        builder.Services.AddSingleton<IHostedService>(services => services.GetRequiredService<Performance>());

        // In the place of the framework's, where that one is; a host without a console stays without one.
        if (builder.Services.FirstOrDefault(service => service.ImplementationType == typeof(ConsoleLoggerProvider)) is { } console)
        {
            builder.Services.Remove(console);
            builder.Services.AddSingleton<ILoggerProvider, ConsoleLogs>();
        }

        if (!string.IsNullOrWhiteSpace(builder.Configuration[$"{LogOptions.Section}:{nameof(LogOptions.Directory)}"]))
        {
            builder.Services.AddSingleton<ILoggerProvider, FileLogs>();
        }
    }
}
