using Ariya.Data;
using Ariya.Data.Keys;

namespace Ariya.Worker.Keys;

/// <summary>Rotates, retires and re-seals signing keys at start and every hour; of several workers one does it.</summary>
internal sealed partial class SigningKeyMaintenance(
    IServiceScopeFactory scopes, SecretKeys secrets, TimeProvider clock, ILogger<SigningKeyMaintenance> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromHours(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await MaintainAsync(stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                // The keys that are there go on signing.
                Log.Failed(logger, exception);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(s_interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task MaintainAsync(CancellationToken cancellationToken)
    {
        await using var scope = scopes.CreateAsyncScope();
        var changes = await SigningKeyTable.MaintainAsync(
            scope.ServiceProvider.GetRequiredService<AriyaDatabase>(), secrets, cancellationToken);
        if (changes.Unreadable > 0)
        {
            Log.Unreadable(logger, changes.Unreadable);
        }

        if (changes is not { Made: 0, Retired: 0, Resealed: 0 })
        {
            Log.Changed(logger, changes.Made, changes.Retired, changes.Resealed);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "Signing keys were not maintained; trying again in an hour")]
        public static partial void Failed(ILogger logger, Exception exception);

        [LoggerMessage(2, LogLevel.Warning, "{Count} signing keys are opened by no configured secret; their tokens are refused")]
        public static partial void Unreadable(ILogger logger, int count);

        [LoggerMessage(3, LogLevel.Information, "Signing keys: {Made} made, {Retired} retired, {Resealed} sealed anew")]
        public static partial void Changed(ILogger logger, int made, int retired, int resealed);
    }
}
