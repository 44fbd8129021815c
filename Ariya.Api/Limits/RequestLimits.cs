using System.Globalization;
using Ariya.Api.Http;
using Ariya.Api.Sessions;
using Ariya.ServiceDefaults.Settings;

namespace Ariya.Api.Limits;

/// <summary>The limits of one request: counted once, when it is known whom it is about, and told in its answer whatever that is.</summary>
internal sealed class RequestLimits(RateLimiter limiter, Buckets buckets, HttpContext http, LimitClass limits, string route)
{
    private LimitReceipt? _receipt;
    private string? _subject;

    /// <summary>The limits of a class for a request to its own route.</summary>
    public static RequestLimits Of(HttpContext http, LimitClass limits) => new(
        http.RequestServices.GetRequiredService<RateLimiter>(), http.RequestServices.GetRequiredService<Buckets>(), http, limits,
        $"{http.Request.Method} {((RouteEndpoint)http.GetEndpoint()!).RoutePattern.RawText}");

    /// <param name="subject">Account, address or token that the request is about. The caller's account, where there is one.</param>
    /// <returns>Whether it is admitted; its buckets when it is not.</returns>
    public async Task<LimitReceipt> SpendAsync(string? subject)
    {
        _subject = subject;
        return _receipt = await limiter.SpendAsync(Buckets());
    }

    /// <summary>Whether this network may look up another key: a repeat costs no other limit, and looking costs a round trip.</summary>
    public LimitReceipt SpendLookUp() => limiter.SpendHere(buckets.LookUps(ClientInfo.Of(http)));

    /// <summary>For a request that is answered without being counted: whose buckets its answer tells of.</summary>
    public void About(string subject) => _subject = subject;

    /// <summary>Gives back what the outcome does not use up.</summary>
    /// <param name="status">Of the answer. 503: nothing was judged or done.</param>
    public Task SettleAsync(int status) => _receipt switch
    {
        null => Task.CompletedTask,
        _ when status is >= 200 and < 300 => limiter.SucceededAsync(_receipt),
        _ when status == StatusCodes.Status503ServiceUnavailable => limiter.UndoneAsync(_receipt),
        _ => Task.CompletedTask,
    };

    /// <summary>
    /// RateLimit-Policy and RateLimit (draft-ietf-httpapi-ratelimit-headers), and X-RateLimit-* of the bucket with the least left, whose
    /// reset is the second since 1970 in which one more is admitted.
    /// </summary>
    public async Task WriteHeadersAsync(TimeProvider clock)
    {
        var receipt = _receipt ?? await limiter.PeekAsync(Buckets());
        if (receipt.States.Count == 0)
        {
            return;
        }

        var headers = http.Response.Headers;
        headers["RateLimit-Policy"] = string.Join(", ", receipt.States.Select(state => string.Create(
            CultureInfo.InvariantCulture, $"\"{state.Bucket.Policy}\";q={state.Bucket.Permits};w={Seconds(state.Bucket.Window)}")));
        var shown = receipt.States.Where(state => state.Bucket.IsShown).ToList();
        if (shown.Count == 0)
        {
            return;
        }

        headers["RateLimit"] = string.Join(", ", shown.Select(state => string.Create(
            CultureInfo.InvariantCulture, $"\"{state.Bucket.Policy}\";r={state.Remaining};t={Seconds(state.Wait)}")));
        var tightest = shown.MinBy(state => state.Remaining);
        headers["X-RateLimit-Limit"] = tightest.Bucket.Permits.ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Remaining"] = tightest.Remaining.ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Reset"] = (clock.GetUtcNow().ToUnixTimeSeconds() + Seconds(tightest.Wait)).ToString(CultureInfo.InvariantCulture);
    }

    /// <summary>Whole seconds, never too few.</summary>
    public static long Seconds(TimeSpan time) => (long)Math.Ceiling(time.TotalSeconds);

    private IReadOnlyList<Bucket> Buckets() =>
        buckets.Of(limits, route, ClientInfo.Of(http), _subject ?? http.Features.Get<Caller>()?.Account.Id.ToString());
}

internal static class RequestLimiting
{
    public static void AddRequestLimits(this IHostApplicationBuilder builder)
    {
        builder.AddSettings<RateLimitOptions>(RateLimitOptions.Section);
        builder.Services.AddSingleton<Buckets>();
        builder.Services.AddSingleton<LocalCounter>();
        builder.Services.AddSingleton<SharedCounter>();
        builder.Services.AddSingleton<LimitMetrics>();
        builder.Services.AddSingleton<RateLimiter>();
    }

    /// <summary>Every answer of a limited route tells of its limits, refusals before the limits are judged too.</summary>
    public static void UseRequestLimits(this IApplicationBuilder app)
    {
        app.Use((context, next) =>
        {
            if (context.GetEndpoint()?.Metadata.GetMetadata<Limited>() is { } limited)
            {
                context.Features.Set(RequestLimits.Of(context, limited.Class));
                context.Response.OnStarting(static state =>
                {
                    var http = (HttpContext)state;
                    return http.Features.Get<RequestLimits>()!.WriteHeadersAsync(http.RequestServices.GetRequiredService<TimeProvider>());
                }, context);
            }

            return next(context);
        });
    }
}
