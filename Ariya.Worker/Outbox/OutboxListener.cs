using Ariya.Data.Outbox;
using Npgsql;

namespace Ariya.Worker.Outbox;

/// <summary>
/// Hears that somebody committed a mail and wakes the dispatcher, which would look by itself a second later. A missed notification
/// costs that second, so nothing depends on this connection.
/// </summary>
internal sealed partial class OutboxListener(
    OutboxDispatcher dispatcher, NpgsqlDataSource source, TimeProvider clock, ILogger<OutboxListener> logger) : BackgroundService
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(5);
    // Found out by asking: a connection that a firewall dropped is quiet for ever.
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var isFailing = false;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await ListenAsync(() => isFailing = false, stoppingToken);
            }
            catch (Exception exception) when (!stoppingToken.IsCancellationRequested)
            {
                if (!isFailing)
                {
                    isFailing = true;
                    Log.Deaf(logger, exception);
                }
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(s_pause, clock, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task ListenAsync(Action listening, CancellationToken cancellationToken)
    {
        await using var connection = await OwnConnectionAsync(cancellationToken);
        connection.Notification += (_, _) => dispatcher.Wake();
        await connection.OpenAsync(cancellationToken);
        await ExecuteAsync(connection, OutboxWakeUp.Listen, cancellationToken);
        listening();
        // What came before somebody listened.
        dispatcher.Wake();
        while (true)
        {
            if (!await connection.WaitAsync(s_patience, cancellationToken))
            {
                await ExecuteAsync(connection, "select 1", cancellationToken);
            }
        }
    }

    // Not from the pool: who got it next would listen too.
    private async Task<NpgsqlConnection> OwnConnectionAsync(CancellationToken cancellationToken)
    {
        await using var pooled = source.CreateConnection();
        return await pooled.CloneWithAsync(new NpgsqlConnectionStringBuilder(source.ConnectionString) { Pooling = false }.ConnectionString, cancellationToken);
    }

    private static async Task ExecuteAsync(NpgsqlConnection connection, string sql, CancellationToken cancellationToken)
    {
#pragma warning disable CA2100 // Literals of the program.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "The worker is not woken by the database; it looks for mails every poll interval until it is again")]
        public static partial void Deaf(ILogger logger, Exception exception);
    }
}
