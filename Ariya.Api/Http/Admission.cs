using System.Text.Json;
using Ariya.Api.Idempotency;
using Ariya.Api.Limits;
using Ariya.Api.Problems;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.Extensions.Options;

namespace Ariya.Api.Http;

/// <summary>
/// What stands between a valid request and its execution, in this order: an answer that was given to it before, which costs no limit; the
/// limits; the execution; what its outcome gives back.
/// </summary>
internal sealed class Admission(
    RequestLimits limits, IdempotentWork work, RequestKeys keys, IOptions<JsonOptions> json, HttpContext http, bool isIdempotent)
{
    public static ValueTask<Admission> BindAsync(HttpContext context)
    {
        var services = context.RequestServices;
        return ValueTask.FromResult(new Admission(
            context.Features.Get<RequestLimits>() ?? throw new InvalidOperationException($"{context.GetEndpoint()} has no limit: say one in Routes.cs."),
            services.GetRequiredService<IdempotentWork>(), services.GetRequiredService<RequestKeys>(),
            services.GetRequiredService<IOptions<JsonOptions>>(), context,
            context.GetEndpoint()!.Metadata.GetMetadata<Idempotent>() is not null));
    }

    /// <param name="subject">Whom the request is about: the caller's account, else the address or token in the body.</param>
    /// <param name="body">The request as it was read.</param>
    /// <param name="execute">Does what is asked for. With an Idempotency-Key it may be run again after a conflict that undid it.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<IResult> RunAsync<TBody>(string subject, TBody body, Func<Task<IResult>> execute, CancellationToken cancellationToken)
    {
        var header = http.Request.Headers[RequestKeys.Header];
        if (!isIdempotent || header.Count == 0)
        {
            return await LimitAsync(subject, execute);
        }

        limits.About(subject);
        if (header is not [{ } key] || !RequestKeys.IsKey(key))
        {
            return Problem.Validation(RequestKeys.Header, RequestKeys.Rule);
        }

        var id = keys.Id($"{http.Request.Method} {((RouteEndpoint)http.GetEndpoint()!).RoutePattern.RawText}", subject, key);
        using var place = keys.Enter(id);
        if (place is null)
        {
            return Problem.IdempotencyInFlight();
        }

        var content = body as byte[] ?? JsonSerializer.SerializeToUtf8Bytes(body, json.Value.SerializerOptions);
        return await work.FindAsync(id, keys.Fingerprint(content, http.Request.Headers.IfMatch.ToString()), cancellationToken)
            ?? await LimitAsync(subject, () => work.RunAsync(execute, http, cancellationToken));
    }

    private async Task<IResult> LimitAsync(string subject, Func<Task<IResult>> execute)
    {
        var receipt = await limits.SpendAsync(subject);
        if (!receipt.IsAdmitted)
        {
            return Refusal(receipt);
        }

        try
        {
            var result = await execute();
            await limits.SettleAsync((result as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK);
            return result;
        }
        catch (Exception) when (!http.RequestAborted.IsCancellationRequested)
        {
            // Somebody who tried while the database was away has not used up a try.
            await limits.SettleAsync(StatusCodes.Status503ServiceUnavailable);
            throw;
        }
    }

    /// <summary>Counts a request that has no body to be judged first. For an endpoint filter of the group.</summary>
    public static async ValueTask<object?> LimitBodylessAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var method = context.HttpContext.Request.Method;
        if (HttpMethods.IsGet(method) || HttpMethods.IsDelete(method))
        {
            var receipt = await context.HttpContext.Features.Get<RequestLimits>()!.SpendAsync(null);
            if (!receipt.IsAdmitted)
            {
                return Refusal(receipt);
            }
        }

        return await next(context);
    }

    private static IResult Refusal(LimitReceipt receipt) => Problem.RateLimited(
        receipt.Full.Max(state => RequestLimits.Seconds(state.Wait)), receipt.Full.Select(state => state.Bucket.Policy));
}
