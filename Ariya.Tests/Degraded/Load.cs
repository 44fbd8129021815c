using System.Collections.Concurrent;
using System.Diagnostics;
using System.Text.Json.Nodes;
using Ariya.Tests.Distributed;

namespace Ariya.Tests.Degraded;

/// <summary>An answer under load.</summary>
/// <param name="Operation">What was asked for.</param>
/// <param name="Status">0: no answer.</param>
/// <param name="Code">Of a refusal.</param>
/// <param name="Took">How long it took.</param>
internal sealed record LoadAnswer(string Operation, int Status, string? Code, TimeSpan Took);

/// <summary>
/// People who sign in, read their accounts and ask for mail, all the time, each from their own network: what they ask for is right, so every
/// answer but success is a fault of the service.
/// </summary>
internal sealed class Load : IAsyncDisposable
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(30);

    private readonly CancellationTokenSource _end = new();
    private readonly ConcurrentQueue<LoadAnswer> _answers = [];
    private readonly List<Task> _people = [];

    public IReadOnlyCollection<LoadAnswer> Answers => _answers;

    public static async Task<Load> StartAsync(Room room, params HttpClient[] instances)
    {
        var load = new Load();
        for (var n = 0; n < 6; n++)
        {
            var (email, api, network) = (await room.AddAccountAsync(), instances[n % instances.Length], $"100.64.{n}.1");
            var token = (await Person.TokensAsync(await api.LoginAsync(email, network))).Access;
            load._people.Add((n % 3) switch
            {
                0 => load.RepeatAsync("login", 200, () => api.LoginAsync(email, network)),
                1 => load.RepeatAsync("account", 200, () => api.CallAsync(HttpMethod.Get, "/api/v1/account", from: network, token: token)),
                _ => load.RepeatAsync("forgot", 202, () => api.ForgotAsync($"{Guid.CreateVersion7():N}@example.com", network)),
            });
        }

        return load;
    }

    /// <summary>Lets a number of answers of each kind come, and gives those that came meanwhile.</summary>
    public async Task<IReadOnlyList<LoadAnswer>> GoOnAsync(int ofEach)
    {
        var before = _answers.Count;
        List<LoadAnswer> Since() => [.. _answers.Skip(before)];
        await Wait.UntilAsync($"{ofEach} answers of each kind", TimeSpan.FromSeconds(60), () =>
        {
            var counts = Since().CountBy(answer => answer.Operation).ToDictionary();
            return Task.FromResult(counts.Count == 3 && counts.Values.All(count => count >= ofEach) ? "" : null);
        });
        return Since();
    }

    /// <summary>Lets people go on until ten answers of each kind in a row succeeded.</summary>
    public async Task BackToNormalAsync(TimeSpan within)
    {
        var waited = Stopwatch.StartNew();
        while (true)
        {
            var answers = await GoOnAsync(10);
            if (answers.All(IsSuccess))
            {
                return;
            }

            Assert.True(waited.Elapsed < within, $"After {within.TotalSeconds} s: {Describe(answers)}");
        }
    }

    public static bool IsSuccess(LoadAnswer answer) => answer.Status is 200 or 202;

    public static string Describe(IEnumerable<LoadAnswer> answers) => string.Join(", ", answers
        .GroupBy(answer => (answer.Operation, answer.Status, answer.Code))
        .Select(group => $"{group.Key.Operation} {group.Key.Status} {group.Key.Code} x{group.Count()} (max {group.Max(answer => answer.Took.TotalMilliseconds):0} ms)"));

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        await Task.WhenAll(_people);
        _end.Dispose();
    }

    private async Task RepeatAsync(string operation, int expected, Func<Task<HttpResponseMessage>> request)
    {
        while (!_end.IsCancellationRequested)
        {
            var started = Stopwatch.GetTimestamp();
            try
            {
                using var answer = await request().WaitAsync(s_patience);
                var status = (int)answer.StatusCode;
                var code = status == expected ? null : (string?)JsonNode.Parse(await answer.Content.ReadAsStringAsync())?["code"];
                if (status == 503)
                {
                    Assert.NotNull(answer.Headers.RetryAfter);
                }

                _answers.Enqueue(new LoadAnswer(operation, status, code, Stopwatch.GetElapsedTime(started)));
            }
            catch (Exception exception)
            {
                _answers.Enqueue(new LoadAnswer(operation, 0, exception.Message, Stopwatch.GetElapsedTime(started)));
                await Task.Delay(10);
            }
        }
    }
}
