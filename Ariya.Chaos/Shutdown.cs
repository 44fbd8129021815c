using System.Diagnostics;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;

namespace Ariya.Chaos;

/// <summary>
/// Asks one of two instances to end, round after round, while people go on: they choose instances as a load balancer does, by what <c>/health</c>
/// says. Every request must be answered whole.
/// </summary>
internal sealed class Shutdown(Ensemble ensemble) : IDisposable
{
    private static readonly string[] s_names = ["api", "api2"];
    // Twice a second is how often such a balancer may ask; the drain delay must be longer.
    private static readonly TimeSpan s_probe = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan s_longestAnswer = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan s_longestStop = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan s_boot = TimeSpan.FromSeconds(60);

    private readonly HttpClient[] _clients = [.. s_names.Select(name => new HttpClient(new SocketsHttpHandler { UseCookies = false, AllowAutoRedirect = false })
    {
        BaseAddress = ensemble.AddressOf(name),
        Timeout = s_longestAnswer,
    })];

    private readonly bool[] _isReady = [true, true];
    private readonly List<string> _unanswered = [];
    private readonly List<int?> _exitCodes = [];
    private long _requests;
    private long _refused;
    private TimeSpan _longestStop;
    private TimeSpan _longestAnswer;

    /// <returns>Whether nothing was dropped and every stop was in time and without a fault.</returns>
    public async Task<bool> RunAsync(int rounds, int people, CancellationToken stop)
    {
        using var over = CancellationTokenSource.CreateLinkedTokenSource(stop);
        Task[] load =
        [
            .. Enumerable.Range(0, 2).Select(index => ProbeAsync(index, over.Token)),
            .. Enumerable.Range(0, people).Select(number => AskAsync(number, over.Token)),
        ];
        var round = 0;
        for (; round < rounds && !stop.IsCancellationRequested; round++)
        {
            await StopOneAsync(round % 2);
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"round {round + 1}: {_requests} requests, {_unanswered.Count} unanswered, {_refused} refused, exit code {_exitCodes[^1]}, longest stop {_longestStop.TotalSeconds:0.0} s"));
        }

        await over.CancelAsync();
        await Task.WhenAll(load);
        var faulty = _exitCodes.Where(code => code != 0).Select(code => code?.ToString(CultureInfo.InvariantCulture) ?? "killed").ToList();
        Console.WriteLine();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{round} rounds, {people} people, drain delay {ensemble.DrainDelay.TotalSeconds:0.#} s: {_requests} requests, {_unanswered.Count} unanswered, {_refused} refused"));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"exit codes: {_exitCodes.Count - faulty.Count} times 0{string.Concat(faulty.Select(code => $", {code}"))}; longest stop {_longestStop.TotalSeconds:0.0} s, longest answer {_longestAnswer.TotalSeconds:0.0} s"));
        _unanswered.Take(20).ToList().ForEach(one => Console.WriteLine($"  {one}"));
        return _unanswered.Count == 0 && _refused == 0 && faulty.Count == 0 && _longestStop <= s_longestStop && _requests > 0;
    }

    public void Dispose()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }
    }

    private async Task StopOneAsync(int index)
    {
        var name = s_names[index];
        await ReadyAsync();
        var process = Processes.Of(name);
        var asked = Stopwatch.GetTimestamp();
        Signals.Send(process, Signals.Terminate);
        var hasEnded = await ensemble.EndedAsync(name, s_longestStop + TimeSpan.FromSeconds(5));
        var took = Stopwatch.GetElapsedTime(asked);
        _longestStop = took > _longestStop ? took : _longestStop;
        _exitCodes.Add(hasEnded ? ensemble.ExitCodeOf(name) : null);
        await ensemble.StartAsync(name);
        await ensemble.HealthyAsync(name, s_boot);
    }

    private async Task ReadyAsync()
    {
        for (var waited = Stopwatch.StartNew(); !_isReady.All(isReady => isReady); await Task.Delay(50))
        {
            if (waited.Elapsed > s_boot)
            {
                throw new InvalidOperationException("The instances do not become ready.");
            }
        }
    }

    // Asks as a load balancer does: its connections are not those of the people.
    private async Task ProbeAsync(int index, CancellationToken stop)
    {
        using var client = new HttpClient { BaseAddress = _clients[index].BaseAddress, Timeout = TimeSpan.FromSeconds(2) };
        while (!stop.IsCancellationRequested)
        {
            try
            {
                using var answer = await client.GetAsync(new Uri("/health", UriKind.Relative), CancellationToken.None);
                _isReady[index] = answer.StatusCode == HttpStatusCode.OK;
            }
            catch (Exception exception) when (exception is HttpRequestException or OperationCanceledException)
            {
                _isReady[index] = false;
            }

            await Task.Delay(s_probe, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task AskAsync(int number, CancellationToken stop)
    {
        for (var turn = number; !stop.IsCancellationRequested; turn++)
        {
            var index = turn % 2;
            index = _isReady[index] ? index : 1 - index;
            var started = Stopwatch.GetTimestamp();
            using var request = Request(number, turn);
            var what = $"{request.Method} {request.RequestUri} at {s_names[index]}";
            try
            {
                using var answer = await _clients[index].SendAsync(request, CancellationToken.None);
                await answer.Content.ReadAsByteArrayAsync(CancellationToken.None);
                Interlocked.Increment(ref _requests);
                if ((int)answer.StatusCode >= 500)
                {
                    Interlocked.Increment(ref _refused);
                }
            }
            catch (Exception exception) when (exception is HttpRequestException or IOException or OperationCanceledException)
            {
                lock (_unanswered)
                {
                    _unanswered.Add($"{what}: {exception.InnerException?.Message ?? exception.Message}");
                }
            }

            lock (_unanswered)
            {
                var took = Stopwatch.GetElapsedTime(started);
                _longestAnswer = took > _longestAnswer ? took : _longestAnswer;
            }
        }
    }

    // A write, a password to hash, an answer of many bytes and a refusal.
    private static HttpRequestMessage Request(int number, int turn)
    {
        var request = (turn / 2 % 4) switch
        {
            0 => Post("forgot-password", new { email = $"p{number}-{turn}@example.com" }),
            1 => Post("login", new { email = $"p{number}-{turn}@example.com", password = "a sentence of a stranger" }),
            2 => new HttpRequestMessage(HttpMethod.Get, "/openapi/v1.json"),
            _ => new HttpRequestMessage(HttpMethod.Get, "/api/v1/account") { Headers = { Authorization = new AuthenticationHeaderValue("Bearer", "unknown") } },
        };
        request.Headers.Add("X-Forwarded-For", string.Create(CultureInfo.InvariantCulture, $"10.{number}.{turn / 250 % 250}.{turn % 250}"));
        return request;

        static HttpRequestMessage Post(string path, object body) => new(HttpMethod.Post, $"/api/v1/auth/{path}") { Content = JsonContent.Create(body) };
    }
}
