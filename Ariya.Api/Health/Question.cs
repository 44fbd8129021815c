namespace Ariya.Api.Health;

/// <summary>An answer and how long it took.</summary>
internal sealed record Answer<T>(T Value, int LatencyMs);

/// <summary>
/// Asks a server that may hang. Nobody waits longer than told, and a question without an answer is not asked a second time: it
/// would only take one more connection.
/// </summary>
internal sealed class Question<T>(Func<Task<T>> ask, TimeProvider clock)
{
    private Task<T>? _asked;
    private long _askedAt;

    /// <summary>Null when the server is away, refuses, or has not answered in time. Not for use from two threads at once.</summary>
    public async Task<Answer<T>?> AskAsync(TimeSpan patience)
    {
        if (_asked is null)
        {
            _askedAt = clock.GetTimestamp();
            _asked = ask();
        }

        await ((Task)_asked).WaitAsync(patience, clock).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        if (!_asked.IsCompleted)
        {
            return null;
        }

        var asked = _asked;
        _asked = null;
        return asked.IsCompletedSuccessfully ? new Answer<T>(await asked, (int)clock.GetElapsedTime(_askedAt).TotalMilliseconds) : null;
    }
}
