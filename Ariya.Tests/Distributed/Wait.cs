namespace Ariya.Tests.Distributed;

internal static class Wait
{
    /// <summary>Asks again until there is an answer; fails, saying what was waited for, when the time is over.</summary>
    public static async Task<T> UntilAsync<T>(string what, TimeSpan limit, Func<Task<T?>> ask)
        where T : class
    {
        using var timeout = new CancellationTokenSource(limit);
        while (true)
        {
            if (await ask() is { } answer)
            {
                return answer;
            }

            try
            {
                await Task.Delay(TimeSpan.FromMilliseconds(50), timeout.Token);
            }
            catch (OperationCanceledException)
            {
                throw new TimeoutException($"Waited {limit.TotalSeconds:0} s for {what}.");
            }
        }
    }
}
