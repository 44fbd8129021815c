using System.Threading.Channels;
using Ariya.Data;
using Ariya.Data.Outbox;

namespace Ariya.Api.Outbox;

/// <summary>
/// Wakes the workers after a mail was committed: at once, and then at most every 5 ms, however many mails there are. In a transaction
/// of its own: a NOTIFY in that of a request would let one request commit at a time. Nothing depends on it; a worker looks every second,
/// so it does not wait for the disk either, with everybody else's NOTIFY behind it.
/// </summary>
internal sealed class OutboxBell(IServiceScopeFactory scopes, TimeProvider clock) : BackgroundService
{
    private static readonly TimeSpan s_pause = TimeSpan.FromMilliseconds(5);
    private static readonly TimeSpan s_pauseAfterFailure = TimeSpan.FromSeconds(1);

    private readonly Channel<bool> _rung = Channel.CreateBounded<bool>(
        new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite, SingleReader = true });

    /// <summary>To be called when the mail is committed. Costs nothing and never fails.</summary>
    public void Ring() => _rung.Writer.TryWrite(true);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        try
        {
            while (true)
            {
                await _rung.Reader.ReadAsync(stoppingToken);
                await Task.Delay(await NotifyAsync(stoppingToken) ? s_pause : s_pauseAfterFailure, clock, stoppingToken);
            }
        }
        catch (OperationCanceledException)
        {
            // The program ends.
        }
    }

    private async Task<bool> NotifyAsync(CancellationToken cancellationToken)
    {
        try
        {
            await using var scope = scopes.CreateAsyncScope();
            await scope.ServiceProvider.GetRequiredService<AriyaDatabase>().ExecuteAsync(
                $"select set_config('synchronous_commit', 'off', true), pg_notify({OutboxWakeUp.Channel}, '')", cancellationToken);
            return true;
        }
        catch (Exception) when (!cancellationToken.IsCancellationRequested)
        {
            // Requests tell the same trouble; here a worker is only not woken.
            return false;
        }
    }
}

internal static class OutboxBellRegistration
{
    public static void AddOutboxBell(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<OutboxBell>();
        builder.Services.AddHostedService(services => services.GetRequiredService<OutboxBell>());
    }
}
