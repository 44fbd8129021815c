using System.Text.Json;
using Ariya.Api.Auth;
using Ariya.Api.Idempotency;
using Ariya.Api.Limits;
using Ariya.Api.Problems;
using Microsoft.AspNetCore.Http.Json;
using Microsoft.AspNetCore.Http.Metadata;
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
    /// <param name="execute">Does what is asked for; hands its statements to <see cref="IdempotentWork.DoAsync"/>.</param>
    /// <param name="cancellationToken">Ends the wait; what was committed stays.</param>
    public async Task<IResult> RunAsync<TBody>(string subject, TBody body, Func<Task<IResult>> execute, CancellationToken cancellationToken)
    {
        limits.About(subject);
        var key = "";
        if (isIdempotent && !RequestKeys.TryRead(http.Request, out key))
        {
            return Problem.Validation(RequestKeys.Header, RequestKeys.Rule);
        }

        if (key.Length == 0)
        {
            return await LimitAsync(limits, http, subject, execute, Refusal);
        }

        if (limits.SpendLookUp() is { IsAdmitted: false } tooMany)
        {
            Tell(tooMany, http);
            return Refusal(tooMany);
        }

        var id = keys.Id($"{http.Request.Method} {((RouteEndpoint)http.GetEndpoint()!).RoutePattern.RawText}", subject, key);
        using var place = keys.Enter(id);
        if (place is null)
        {
            return Problem.IdempotencyInFlight();
        }

        var content = body as byte[] ?? JsonSerializer.SerializeToUtf8Bytes(body, json.Value.SerializerOptions);
        return await work.FindAsync(id, keys.Fingerprint(content, http.Request.Headers.IfMatch.ToString()), cancellationToken)
            ?? await LimitAsync(limits, http, subject, () => work.RunAsync(execute, http, cancellationToken), Refusal);
    }

    /// <summary>Counts a request that has no body to be judged first. For an endpoint filter of the group.</summary>
    public static async ValueTask<object?> LimitBodylessAsync(EndpointFilterInvocationContext context, EndpointFilterDelegate next)
    {
        var http = context.HttpContext;
        return http.GetEndpoint()!.Metadata.GetMetadata<IAcceptsMetadata>() is null && (HttpMethods.IsGet(http.Request.Method) || HttpMethods.IsDelete(http.Request.Method))
            ? await LimitAsync(http.Features.Get<RequestLimits>()!, http, null, () => next(context).AsTask(), Refusal)
            : await next(context);
    }

    /// <summary>Counts a request that is refused before it is read.</summary>
    /// <returns>The refusal, or that of the limits.</returns>
    public static Task<IResult> RefuseAsync(HttpContext http, IResult refusal) =>
        LimitAsync(http.Features.Get<RequestLimits>()!, http, null, () => Task.FromResult(refusal), Refusal);

    /// <summary>Counts a request, executes it, and gives back what its outcome does not use up.</summary>
    /// <param name="limits">What it draws from.</param>
    /// <param name="http">The request.</param>
    /// <param name="subject">Whom it is about.</param>
    /// <param name="execute">Answers it.</param>
    /// <param name="refuse">Answers it when a limit is used up.</param>
    public static async Task<T> LimitAsync<T>(RequestLimits limits, HttpContext http, string? subject, Func<Task<T>> execute, Func<LimitReceipt, T> refuse)
    {
        // Whoever sends their body so slowly that the work cannot end in time has had it done all the same.
        var isLate = http.Features.Get<RequestTime>() is { IsLate: true };
        var receipt = await limits.SpendAsync(subject);
        if (!receipt.IsAdmitted)
        {
            Tell(receipt, http);
            return refuse(receipt);
        }

        try
        {
            var result = await execute();
            await limits.SettleAsync((result as IStatusCodeHttpResult)?.StatusCode ?? StatusCodes.Status200OK);
            return result;
        }
        catch (Exception) when (!isLate && !RequestTime.Of(http).ClientGone.IsCancellationRequested)
        {
            // Somebody who tried while the database was away has not used up a try.
            await limits.SettleAsync(StatusCodes.Status503ServiceUnavailable);
            throw;
        }
    }

    private static void Tell(LimitReceipt receipt, HttpContext http) => http.RequestServices.GetRequiredService<SecurityEvents>().LimitRefused(
        receipt, $"{http.Request.Method} {((RouteEndpoint)http.GetEndpoint()!).RoutePattern.RawText}", ClientInfo.Of(http).Network);

    // Of what is not shown, when others asked must not be told by the second either.
    private static IResult Refusal(LimitReceipt receipt) => Problem.RateLimited(
        receipt.Full.Max(state => RequestLimits.Seconds(state.Bucket.IsShown ? state.Wait : state.Bucket.Window)), receipt.Full.Select(state => state.Bucket.Policy));
}
