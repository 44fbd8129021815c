using System.ComponentModel.DataAnnotations;
using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Options;
using Polly;
using Polly.CircuitBreaker;
using StackExchange.Redis;

namespace Ariya.Api.Redis;

/// <summary>
/// Calls to Redis that a request can do without. Each ends within 100 ms, or what the setting says; after a few that failed Redis is left alone for a second,
/// and then one request tries again. Nobody connects on a request's time either.
/// </summary>
internal sealed partial class RedisCalls : IHostedService
{
    private static readonly TimeSpan s_pause = TimeSpan.FromSeconds(1);

    private readonly IServiceProvider _services;
    private readonly TimeProvider _clock;
    private readonly ILogger _logger;
    private readonly ResiliencePipeline<RedisResult?> _breaker;
    private readonly Lazy<Task<IConnectionMultiplexer>> _connection;
    private int _isAway;

    public RedisCalls(IServiceProvider services, IOptions<RedisOptions> options, TimeProvider clock, ILogger<RedisCalls> logger)
    {
        Patience = options.Value.Patience;
        _services = services;
        _clock = clock;
        _logger = logger;
        // The first to ask for the client waits for its connection: a thread of the pool does, and requests go on without.
        _connection = new(() => Task.Run(() => _services.GetRequiredService<IConnectionMultiplexer>()));
        _breaker = new ResiliencePipelineBuilder<RedisResult?> { TimeProvider = clock }
            .AddCircuitBreaker(new CircuitBreakerStrategyOptions<RedisResult?>
            {
                FailureRatio = 0.5,
                MinimumThroughput = 5,
                SamplingDuration = TimeSpan.FromSeconds(5),
                BreakDuration = s_pause,
                ShouldHandle = arguments => ValueTask.FromResult(arguments.Outcome.Exception is not null),
                OnOpened = arguments => Tell(isAway: true, arguments.Outcome.Exception),
                OnClosed = _ => Tell(isAway: false, null),
            })
            .Build();
    }

    /// <summary>How long a call is waited for.</summary>
    public TimeSpan Patience { get; }

    /// <summary>
    /// The client's own settings: it gives up by itself too, and notices a connection that has died silently after four such times; a call made while there is no
    /// connection fails at once instead of waiting for one.
    /// </summary>
    public static void Configure(ConfigurationOptions options, TimeSpan patience)
    {
        options.AbortOnConnectFail = false;
        options.ConnectTimeout = 1000;
        options.SyncTimeout = 500;
        options.AsyncTimeout = Math.Max(500, (int)patience.TotalMilliseconds * 2);
        options.BacklogPolicy = BacklogPolicy.FailFast;
    }

    /// <summary>Whether the last calls were answered.</summary>
    public bool IsAnswering => Volatile.Read(ref _isAway) == 0;

    /// <summary>The answer; null when there is none in time, for whatever reason.</summary>
    public async Task<RedisResult?> CallAsync(Func<IDatabase, Task<RedisResult>> call)
    {
        var context = ResilienceContextPool.Shared.Get(continueOnCapturedContext: false);
        try
        {
            var outcome = await _breaker.ExecuteOutcomeAsync(static async (_, state) =>
            {
                try
                {
                    return Outcome.FromResult<RedisResult?>(await state.Self.AskAsync(state.Call).ConfigureAwait(false));
                }
                catch (Exception exception)
                {
                    return Outcome.FromException<RedisResult?>(exception);
                }
            }, context, (Self: this, Call: call)).ConfigureAwait(false);
            return outcome.Exception is null ? outcome.Result : null;
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    public Task StartAsync(CancellationToken cancellationToken)
    {
        _ = _connection.Value;
        return Task.CompletedTask;
    }

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    private async Task<RedisResult> AskAsync(Func<IDatabase, Task<RedisResult>> call)
    {
        if (!_connection.Value.IsCompleted)
        {
            throw new RedisConnectionException(ConnectionFailureType.UnableToConnect, "Redis is not connected yet.");
        }

        var asked = call((await _connection.Value).GetDatabase());
        try
        {
            return await asked.WaitAsync(Patience, _clock);
        }
        catch (TimeoutException)
        {
            // Whatever comes of it is nobody's business any more.
            _ = asked.ContinueWith(late => late.Exception, CancellationToken.None, TaskContinuationOptions.OnlyOnFaulted, TaskScheduler.Default);
            throw;
        }
    }

    private ValueTask Tell(bool isAway, Exception? exception)
    {
        if (Interlocked.Exchange(ref _isAway, isAway ? 1 : 0) != (isAway ? 1 : 0))
        {
            if (isAway)
            {
                Log.Away(_logger, exception);
            }
            else
            {
                Log.Back(_logger);
            }
        }

        return ValueTask.CompletedTask;
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "Redis does not answer: limits are counted in this process alone until it does")]
        public static partial void Away(ILogger logger, Exception? exception);

        [LoggerMessage(2, LogLevel.Information, "Redis answers again")]
        public static partial void Back(ILogger logger);
    }
}

internal sealed class RedisOptions
{
    public const string Section = "Redis";

    /// <summary>How long a request waits for an answer before it goes on without.</summary>
    [Range(typeof(TimeSpan), "00:00:00.010", "00:00:10")]
    public TimeSpan Patience { get; set; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Whether the program starts without a Redis outside Development too; each instance then counts limits by itself.</summary>
    public bool Optional { get; set; }

    /// <summary>Why Redis on another machine needs neither TLS nor a password; told at every start.</summary>
    public string TlsNotRequiredBecause { get; set; } = "";
}

internal static class RedisRegistration
{
    public static void AddRedisCalls(this IHostApplicationBuilder builder)
    {
        var redis = builder.AddSettings<RedisOptions>(RedisOptions.Section);
        builder.AddRedisClient(
            "cache",
            settings => builder.CheckRedis(settings.ConnectionString, redis.Optional, redis.TlsNotRequiredBecause),
            options => RedisCalls.Configure(options, redis.Patience));
        builder.Services.AddSingleton<RedisCalls>();
        builder.Services.AddHostedService(services => services.GetRequiredService<RedisCalls>());
    }
}
