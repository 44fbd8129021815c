using System.Security.Cryptography;
using Ariya.ServiceDefaults.Settings;

namespace Ariya.Worker.Outbox;

internal static class OutboxRegistration
{
    public static void AddOutbox(this IHostApplicationBuilder builder)
    {
        builder.AddSettings<OutboxOptions>(OutboxOptions.Section);
        builder.Services.AddScoped<OutboxQueue>();
        builder.Services.AddSingleton<Signal>();
        builder.Services.AddSingleton<MailLanes>();
        builder.Services.AddSingleton<RelayWatch>();
        builder.Services.AddSingleton<OutboxMetrics>();
        builder.Services.AddSingleton<Func<double>>(() => RandomNumberGenerator.GetInt32(1_000_001) / 1_000_000d);
        builder.Services.AddSingleton<Heartbeat>();
        builder.Services.AddHostedService(services => services.GetRequiredService<Heartbeat>());
        builder.Services.AddSingleton<OutboxDispatcher>();
        builder.Services.AddHostedService(services => services.GetRequiredService<OutboxDispatcher>());
        builder.Services.AddHostedService<OutboxListener>();
    }
}
