using Aspire.Hosting;

namespace Ariya.Chaos;

/// <summary>
/// Breaks one thing after the other: a few seconds each, then repaired, then a few seconds of peace. Every kind comes once before any comes
/// again. What, whom and for how long is drawn before anything happens, so that a seed repeats it.
/// </summary>
internal sealed class Nemesis(long seed, Ensemble ensemble, Sink sink, Caller caller, History history, CancellationToken stop)
{
    private static readonly TimeSpan s_boot = TimeSpan.FromSeconds(60);
    // In each direction: two seconds are more than a request waits for Redis.
    private static readonly TimeSpan s_late = TimeSpan.FromSeconds(1);
    private static readonly TimeSpan s_drain = TimeSpan.FromSeconds(35);

    private readonly Seeded _dice = Seeded.For(seed, -2);

    public const string WorkerKill = "worker-kill";
    public const string WorkerPause = "worker-pause";
    public const string ApiKill = "api-kill";
    public const string ApiPause = "api-pause";
    public const string ApiTerm = "api-term";
    public const string RedisKill = "redis-kill";
    public const string RedisPause = "redis-pause";
    public const string RedisFlush = "redis-flush";
    public const string RedisSlow = "redis-slow";
    public const string PostgresRestart = "postgres-restart";
    public const string RelayRefuses = "relay-refuses";
    public const string RelaySilent = "relay-silent";
    public const string RelayDefers = "relay-defers";
    public const string RelayDropsAnswer = "relay-drops-answer";
    public const string DatabaseSlow = "database-slow";
    public const string DatabaseCut = "database-cut";
    public const string DatabaseSilent = "database-silent";
    public const string DatabaseCommitLost = "database-commit-lost";
    public const string ClientsHangUp = "clients-hang-up";

    private static readonly string[] s_kinds =
    [
        WorkerKill, WorkerPause, ApiKill, ApiPause, ApiTerm, RedisKill, RedisPause, RedisFlush, RedisSlow, PostgresRestart, RelayRefuses, RelaySilent,
        RelayDefers, RelayDropsAnswer, DatabaseSlow, DatabaseCut, DatabaseSilent, DatabaseCommitLost,
        ClientsHangUp,
    ];

    /// <summary>For the progress.</summary>
    public string Current { get; private set; } = "";

    public async Task RageAsync()
    {
        await RestAsync(TimeSpan.FromSeconds(3));
        var deck = (string[])s_kinds.Clone();
        for (var n = 0; !stop.IsCancellationRequested; n++)
        {
            if (n % deck.Length == 0)
            {
                _dice.Shuffle(deck);
            }

            var (kind, isSecond, lasts, peace) = (deck[n % deck.Length], _dice.Next(2) == 1, _dice.Seconds(1, 5), _dice.Seconds(3, 6));
            var target = TargetOf(kind, isSecond);
            var fault = new Entry { Id = history.NextId(), Phase = Entry.Fault, Kind = kind, Instance = target };
            Current = $"{kind} ({target})";
            try
            {
                await BreakAsync(fault, target, kind == WorkerPause ? lasts + TimeSpan.FromSeconds(Ensemble.Lease + 1) : lasts);
            }
            catch (Exception exception) when (exception is InvalidOperationException or DistributedApplicationException or IOException or System.Net.Sockets.SocketException)
            {
                // It ended by itself, or did not come back: the others are tried all the same.
                history.Contradiction(kind, target, exception.Message);
            }

            Current = "";
            await RestAsync(peace);
        }
    }

    private static string TargetOf(string kind, bool isSecond) => kind.Split('-')[0] switch
    {
        "redis" when kind == RedisSlow => "api2",
        "worker" => isSecond ? "worker2" : "worker",
        "api" => isSecond ? "api2" : "api",
        "redis" => "cache",
        "database" => "api2",
        "clients" => "all",
        var other => other,
    };

    private Task BreakAsync(Entry fault, string target, TimeSpan lasts)
    {
        switch (fault.Kind)
        {
            case WorkerKill or ApiKill or RedisKill:
                return EndAsync(fault, target, lasts, Signal(target, Signals.Kill));
            case ApiTerm:
                return EndAsync(fault, target, TimeSpan.Zero, Signal(target, Signals.Terminate));
            case PostgresRestart:
                return EndAsync(fault, target, lasts, () => ensemble.StopAsync(target));
            case WorkerPause or ApiPause or RedisPause:
                return DuringAsync(fault, lasts, Signal(target, Signals.Stop), Signal(target, Signals.Continue));
            case RedisFlush:
                return DuringAsync(fault, TimeSpan.Zero, ensemble.FlushAsync, () => Task.CompletedTask);
            case RedisSlow:
                return DuringAsync(fault, lasts, () => CacheLatency(s_late), () => CacheLatency(TimeSpan.Zero));
            case RelayRefuses:
                return RelayAsync(fault, lasts, RelayTrouble.Refuses);
            case RelaySilent:
                return RelayAsync(fault, lasts, RelayTrouble.Silent);
            case RelayDefers:
                return RelayAsync(fault, lasts, RelayTrouble.Defers);
            case RelayDropsAnswer:
                return RelayAsync(fault, lasts, RelayTrouble.DropsAnswer);
            case DatabaseSlow:
                return DuringAsync(fault, lasts, () => Latency(TimeSpan.FromMilliseconds(150)), () => Latency(TimeSpan.Zero));
            case DatabaseCut:
                // Connections are ended as fast as new ones are made.
                return AgainAndAgainAsync(fault, lasts, ensemble.Proxy.Cut);
            case DatabaseCommitLost:
                // The server gets it, and the answer does not come.
                return AgainAndAgainAsync(fault, lasts, () => ensemble.Proxy.CutAfter ??= "COMMIT"u8.ToArray());
            case DatabaseSilent:
                return DuringAsync(fault, lasts, () => BlackHole(true), () => BlackHole(false));
            case ClientsHangUp:
                return DuringAsync(fault, lasts, () => Haste(true), () => Haste(false));
            default:
                throw new InvalidOperationException(fault.Kind);
        }
    }

    /// <summary>A process ends and is started again, and nothing else is broken before it is well.</summary>
    private async Task EndAsync(Entry fault, string target, TimeSpan lasts, Func<Task> end)
    {
        history.Add(fault);
        await end();
        if (!await ensemble.EndedAsync(target, s_drain))
        {
            history.Contradiction(fault.Kind, target, $"it did not end within {s_drain.TotalSeconds} s");
            await ensemble.EndedAsync(target, s_drain);
        }

        await RestAsync(lasts);
        await ensemble.StartAsync(target);
        history.Add(fault with { Phase = Entry.Repair });
        try
        {
            await ensemble.HealthyAsync(target, s_boot);
        }
        catch (OperationCanceledException exception)
        {
            history.Contradiction(fault.Kind, target, exception.Message);
        }
    }

    private async Task DuringAsync(Entry fault, TimeSpan lasts, Func<Task> begin, Func<Task> end)
    {
        history.Add(fault);
        await begin();
        await RestAsync(lasts);
        await end();
        history.Add(fault with { Phase = Entry.Repair });
    }

    private Task RelayAsync(Entry fault, TimeSpan lasts, RelayTrouble trouble) => DuringAsync(fault, lasts, () => sink.TroubleAsync(trouble), () =>
    {
        sink.Mend();
        return Task.CompletedTask;
    });

    private async Task AgainAndAgainAsync(Entry fault, TimeSpan lasts, Action doIt)
    {
        history.Add(fault);
        for (var until = history.Now + lasts.TotalSeconds; history.Now < until; await Task.Delay(20))
        {
            doIt();
        }

        ensemble.Proxy.CutAfter = null;
        history.Add(fault with { Phase = Entry.Repair });
    }

    // The process is looked for before the fault is written down: that is the moment of the signal.
    private static Func<Task> Signal(string target, int signal)
    {
        var process = Processes.Of(target);
        return () =>
        {
            Signals.Send(process, signal);
            return Task.CompletedTask;
        };
    }

    private Task Latency(TimeSpan latency)
    {
        ensemble.Proxy.Latency = latency;
        return Task.CompletedTask;
    }

    private Task CacheLatency(TimeSpan latency)
    {
        ensemble.CacheProxy.Latency = latency;
        return Task.CompletedTask;
    }

    private Task BlackHole(bool isBlackHole)
    {
        ensemble.Proxy.IsBlackHole = isBlackHole;
        return Task.CompletedTask;
    }

    private Task Haste(bool isHasty)
    {
        caller.IsHasty = isHasty;
        return Task.CompletedTask;
    }

    // At the end what is broken is repaired at once.
    private async Task RestAsync(TimeSpan time) => await Task.Delay(time, stop).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
}
