using System.Security.Cryptography;
using Npgsql;

namespace Ariya.Data;

/// <summary>
/// Runs again what PostgreSQL undid for the sake of another transaction: 40001 serialization_failure and 40P01 deadlock_detected. Nothing
/// else: after any other error it is either pointless, or not known whether the work was committed.
/// </summary>
public static class Conflicts
{
    /// <summary>How often a conflict is tried again before it is the caller's error.</summary>
    public const int MaxRetries = 3;

    private const int LongestPauseMilliseconds = 50;

    /// <summary>Whether the database undid the whole transaction for the sake of another.</summary>
    public static bool IsConflict(Exception exception) => exception is PostgresException { SqlState: "40001" or "40P01" };

    /// <summary>Of a random length: those who met will not meet again.</summary>
    public static Task PauseAsync(CancellationToken cancellationToken) =>
        Task.Delay(RandomNumberGenerator.GetInt32(1, LongestPauseMilliseconds), cancellationToken);

    /// <summary>Within a transaction of the caller's the error is the caller's too: all of it was undone, not this statement alone.</summary>
    internal static async Task<T> RetryAsync<T>(AriyaDatabase db, Func<Task<T>> work, CancellationToken cancellationToken)
    {
        for (var retries = 0; ; retries++)
        {
            try
            {
                return await work();
            }
            catch (PostgresException exception) when (IsConflict(exception) && retries < MaxRetries && !db.IsInTransaction)
            {
                await PauseAsync(cancellationToken);
            }
        }
    }
}
