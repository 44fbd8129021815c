using Ariya.ServiceDefaults.Logging;

namespace Ariya.Api.Idempotency;

/// <summary>An answer as it goes over the wire, so that a repeat gets the same bytes.</summary>
/// <param name="Status">HTTP status.</param>
/// <param name="ContentType">Of the body.</param>
/// <param name="ETag">The version of what was changed.</param>
/// <param name="Body">The bytes.</param>
internal sealed record StoredAnswer(int Status, string? ContentType, string? ETag, byte[] Body)
{
    /// <summary>
    /// Successes, and refusals that the same request would meet again. Not what depends on how busy the service or the caller is, and no
    /// fault of ours.
    /// </summary>
    public bool IsKept => Status is >= 200 and < 500 and not (StatusCodes.Status408RequestTimeout or StatusCodes.Status429TooManyRequests);

    /// <summary>Executes a result, with what the endpoint wrote beside it, without sending it.</summary>
    public static async Task<StoredAnswer> OfAsync(IResult result, HttpContext http)
    {
        using var body = new MemoryStream();
        var recording = new DefaultHttpContext { RequestServices = http.RequestServices, TraceIdentifier = http.TraceIdentifier };
        recording.Response.Body = body;
        await result.ExecuteAsync(recording);
        http.Features.Set(recording.Features.Get<RefusalCode>());
        var etag = recording.Response.Headers.ETag.Count > 0 ? recording.Response.Headers.ETag : http.Response.Headers.ETag;
        return new StoredAnswer(recording.Response.StatusCode, recording.Response.ContentType, etag, body.ToArray());
    }

    /// <param name="isReplayed">Whether the answer was given before.</param>
    public IResult ToResult(bool isReplayed) => new AnswerResult(this, isReplayed);

    private sealed class AnswerResult(StoredAnswer answer, bool isReplayed) : IResult, IStatusCodeHttpResult
    {
        public int? StatusCode => answer.Status;

        public async Task ExecuteAsync(HttpContext httpContext)
        {
            var response = httpContext.Response;
            response.StatusCode = answer.Status;
            response.ContentType = answer.ContentType;
            if (answer.ETag is not null)
            {
                response.Headers.ETag = answer.ETag;
            }

            if (isReplayed)
            {
                response.Headers["Idempotent-Replayed"] = "true";
            }

            if (answer.Body.Length > 0)
            {
                response.ContentLength = answer.Body.Length;
                await response.Body.WriteAsync(answer.Body, httpContext.RequestAborted);
            }
        }
    }
}
