using System.ComponentModel.DataAnnotations;
using Ariya.ServiceDefaults.Settings;
using Microsoft.Extensions.Options;

namespace Ariya.Api.Http;

/// <summary>What one request, and all of them, may take.</summary>
internal sealed class RequestOptions
{
    public const string Section = "Requests";

    /// <summary>After this a request is answered with 503 <c>unavailable</c>, whatever holds it up.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan Timeout { get; set; } = TimeSpan.FromSeconds(10);

    /// <summary>The same for a picture, whose bytes may come slowly.</summary>
    [Range(typeof(TimeSpan), "00:00:01", "00:05:00")]
    public TimeSpan UploadTimeout { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>Connections of clients at once; one more is closed at once.</summary>
    [Range(10, 1_000_000)]
    public int MaxConnections { get; set; } = 5000;
}

/// <summary>The mark of a route whose request may take the time of an upload.</summary>
internal sealed record SlowBody;

/// <summary>When a request is over time, and whether its client has gone: the request's own token ends with either.</summary>
internal sealed class RequestTime(TimeSpan limit, TimeProvider clock, CancellationToken clientGone) : IDisposable
{
    private readonly long _arrivedAt = clock.GetTimestamp();
    private readonly CancellationTokenSource _over = new(limit, clock);

    public CancellationToken ClientGone => clientGone;

    public CancellationToken Over => _over.Token;

    public TimeSpan Left => limit - clock.GetElapsedTime(_arrivedAt) is var left && left > TimeSpan.Zero ? left : TimeSpan.Zero;

    public TimeProvider Clock => clock;

    /// <summary>Whether so little is left that what is begun now may end by it.</summary>
    public bool IsLate => Left < limit / 2;

    /// <summary>Returns when everything that was to be cancelled has heard of it, which a silent server can hold up.</summary>
    public void End() => _over.Cancel();

    public static RequestTime Of(HttpContext http) => http.Features.Get<RequestTime>() ?? throw new InvalidOperationException("The request has no time.");

    public void Dispose() => _over.Dispose();
}

/// <summary>
/// No request takes longer than it may: not its head, not its body, and not what it waits for. The framework's time-outs cancel the work and wait
/// for it; a server that says nothing holds the driver for seconds more.
/// </summary>
internal static class RequestTimes
{
    private static readonly TimeSpan s_grace = TimeSpan.FromMilliseconds(200);

    public static void AddRequestTimes(this WebApplicationBuilder builder)
    {
        var options = builder.AddSettings<RequestOptions>(RequestOptions.Section);
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            // Whoever sends a byte now and then holds a connection no longer than this; from then on the time of the request counts.
            kestrel.Limits.RequestHeadersTimeout = TimeSpan.FromSeconds(10);
            kestrel.Limits.MinRequestBodyDataRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            kestrel.Limits.MinResponseDataRate = new(bytesPerSecond: 240, gracePeriod: TimeSpan.FromSeconds(5));
            // Longer than proxies keep idle connections, a minute most often: otherwise they send into one that is being closed.
            kestrel.Limits.KeepAliveTimeout = TimeSpan.FromSeconds(130);
            kestrel.Limits.MaxConcurrentConnections = options.MaxConnections;
            // A token, a key and what proxies add take 2 KB.
            kestrel.Limits.MaxRequestHeadersTotalSize = 16 * 1024;
            kestrel.Limits.MaxRequestHeaderCount = 64;
            kestrel.Limits.MaxRequestLineSize = 4 * 1024;
        });
    }

    /// <summary>Goes behind the routing, which knows whether it is an upload.</summary>
    public static void UseRequestTimes(this WebApplication app)
    {
        var (clock, options) = (app.Services.GetRequiredService<TimeProvider>(), app.Services.GetRequiredService<IOptions<RequestOptions>>().Value);
        app.Use(async (context, next) =>
        {
            var clientGone = context.RequestAborted;
            var isUpload = context.GetEndpoint()?.Metadata.GetMetadata<SlowBody>() is not null;
            var time = new RequestTime(isUpload ? options.UploadTimeout : options.Timeout, clock, clientGone);
            var both = CancellationTokenSource.CreateLinkedTokenSource(clientGone, time.Over);
            // Behind the work that may go on after the answer.
            context.Response.RegisterForDispose(time);
            context.Response.RegisterForDispose(both);
            context.Features.Set(time);
            context.RequestAborted = both.Token;
            await using var reading = time.Over.Register(static http => EndReading((HttpContext)http!), context);
            try
            {
                await next(context);
            }
            catch (OperationCanceledException) when (time.Over.IsCancellationRequested && !clientGone.IsCancellationRequested)
            {
                throw new TimeoutException("The request was not done in its time.");
            }
            finally
            {
                // The answer is written after that.
                context.RequestAborted = clientGone;
            }
        });
    }

    /// <summary>For an endpoint filter of every route: the answer does not wait for work that is over time.</summary>
    public static async ValueTask<object?> AnswerInTimeAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next) =>
        await context.HttpContext.InTimeAsync(next(context).AsTask());

    /// <summary>
    /// Waits for a piece of the request's work as long as the request may take. What was cancelled then, and a commit, which is never cancelled, comes
    /// to its end behind the answer, with everything it uses.
    /// </summary>
    /// <exception cref="TimeoutException">It is not done in time.</exception>
    public static async Task<T> InTimeAsync<T>(this HttpContext http, Task<T> work)
    {
        if (work.IsCompleted)
        {
            return await work;
        }

        var time = RequestTime.Of(http);
        using var done = new CancellationTokenSource();
        // A timer of its own: the driver asks a silent server to cancel, and waits for it, in the token's own thread.
        if (await Task.WhenAny(work, Task.Delay(time.Left, time.Clock, done.Token)) != work)
        {
            _ = Task.Run(time.End, CancellationToken.None);
            // What can be cancelled is over in a moment, and was not left reading the body.
            await Task.WhenAny(work, Task.Delay(s_grace, time.Clock, done.Token));
        }

        if (work.IsCompleted)
        {
            await done.CancelAsync();
            return await work;
        }

        http.Response.OnStarting(() =>
        {
            // The next request on this connection would have to wait for it.
            http.Response.Headers.Connection = "close";
            return Task.CompletedTask;
        });
        http.Response.OnCompleted(async () => await ((Task)work).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing));
        throw new TimeoutException("The request was not done in its time.");
    }

    // The framework reads JSON without a token.
    private static void EndReading(HttpContext http)
    {
        try
        {
            http.Request.BodyReader.CancelPendingRead();
        }
        catch (Exception)
        {
            // It has ended by itself, with its client perhaps. On a timer's thread an exception would end the program.
        }
    }
}
