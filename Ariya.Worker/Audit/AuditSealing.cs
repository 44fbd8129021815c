namespace Ariya.Worker.Audit;

/// <summary>Seals the audit every minute.</summary>
internal sealed partial class AuditSealing(IServiceScopeFactory scopes, TimeProvider clock, ILogger<AuditSealing> logger) : BackgroundService
{
    private static readonly TimeSpan s_interval = TimeSpan.FromMinutes(1);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isFailing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await using var scope = scopes.CreateAsyncScope();
                await scope.ServiceProvider.GetRequiredService<AuditChain>().SealAsync(stoppingToken);
                isFailing = false;
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isFailing)
                {
                    isFailing = true;
                    Log.NotSealed(logger, exception);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(s_interval, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "The audit was not sealed; trying again every minute")]
        public static partial void NotSealed(ILogger logger, Exception exception);
    }
}
