using Ariya.Api.Http;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Ariya.Api.Problems;

/// <summary>
/// The catalogue of refusals (RFC 9457). <c>code</c> is the contract: stable, snake_case. Detail is for people and never
/// says whether an address has an account.
/// </summary>
internal static class Problem
{
    public static ProblemHttpResult Validation(FieldErrors errors) => Create(400, "validation_failed", "Some fields are not right.",
        extensions: new() { ["errors"] = errors.ByField });

    public static ProblemHttpResult Validation(string field, string message)
    {
        var errors = new FieldErrors();
        errors.Add(field, message);
        return Validation(errors);
    }

    public static ProblemHttpResult MalformedJson() => Create(400, "malformed_json", "The body is not the JSON object that is expected here.");

    public static ProblemHttpResult TokenInvalid() => Create(400, "token_invalid", "This link is not valid. Ask for a new mail.");

    public static ProblemHttpResult TokenExpired() => Create(400, "token_expired", "This link has expired. Ask for a new mail.");

    public static ProblemHttpResult TokenUsed() => Create(400, "token_used", "This link was used before. Ask for a new mail.");

    /// <summary>Wrong, too late, tried too often, or nobody ever asked for it: one answer for all.</summary>
    public static ProblemHttpResult CodeInvalid() => Create(400, "code_invalid", "This code is not valid. Use the newest mail, or its link.");

    public static ProblemHttpResult PasswordTooWeak(string field, string reason) => Create(400, "password_too_weak", reason,
        extensions: new() { ["errors"] = new Dictionary<string, string[]> { [field] = [reason] } });

    public static ProblemHttpResult InvalidCredentials() => Create(401, "invalid_credentials", "The e-mail address or the password is wrong.");

    public static ProblemHttpResult Unauthenticated() => Create(401, "unauthenticated", "Sign in to use this.");

    /// <summary>Every refusal of a refresh token: over, unknown, exchanged before. Which of them it was stands in the audit.</summary>
    public static ProblemHttpResult SessionEnded() => Create(401, "session_ended", "This session is over. Sign in again.");

    public static ProblemHttpResult EmailNotVerified() => Create(403, "email_not_verified", "Open the link in the mail we sent to finish registering.");

    public static ProblemHttpResult AccountDisabled() => Create(403, "account_disabled", "This account is disabled.");

    public static ProblemHttpResult Forbidden() => Create(403, "forbidden", "You may not do this.");

    /// <summary>Of an operator whose sign-in is too long ago for what operators may do.</summary>
    public static ProblemHttpResult SignInTooOld() => Create(403, "sign_in_too_old", "Sign in again to do this.");

    public static ProblemHttpResult NotFound() => Create(404, "not_found", "There is nothing here for you.");

    public static ProblemHttpResult PreconditionFailed() => Create(412, "precondition_failed", "The account was changed meanwhile. Read it again.");

    /// <summary>Told only to whoever has the mailed link of that address.</summary>
    public static ProblemHttpResult EmailTaken() => Create(409, "email_taken", "Another account has this address by now.");

    public static ProblemHttpResult PasswordRequired() => Create(409, "password_required",
        "This address was registered more than once. Send the password chosen at this registration too.");

    /// <summary>What an operator may not do to themselves.</summary>
    public static ProblemHttpResult OwnAccount() => Create(409, "own_account", "Another admin has to do this.");

    /// <summary>The account or mail is in another state than this needs.</summary>
    public static ProblemHttpResult StateConflict() => Create(409, "state_conflict", "It is in a state in which this cannot be done. Read it again.");

    public static ProblemHttpResult NewerMailPending() => Create(409, "newer_mail_pending", "A later mail of this kind waits for the same recipient.");

    /// <summary>The same request, with the same key, is being worked on; its repeat gets its answer.</summary>
    public static ProblemHttpResult IdempotencyInFlight() => Create(409, "idempotency_in_flight",
        "A request with this Idempotency-Key is being worked on. Repeat it in a moment.");

    public static ProblemHttpResult IdempotencyKeyReused() => Create(422, "idempotency_key_reused",
        "This Idempotency-Key came with another request before. Use a new one for each request.");

    public static ProblemHttpResult PayloadTooLarge() => Create(413, "payload_too_large", "The body is larger than 64 KB; a picture, than 1 MB.");

    public static ProblemHttpResult UnsupportedMediaType() => Create(415, "unsupported_media_type", "Send the body as application/json.");

    /// <param name="seconds">Until the next try can be admitted.</param>
    /// <param name="policies">The limits that are used up, as RateLimit-Policy names them.</param>
    public static IResult RateLimited(long seconds, IEnumerable<string> policies) => RetryAfter(seconds,
        Create(429, "rate_limited", "Too many requests. Try again later.", extensions: new() { ["violated-policies"] = policies.ToArray() }));

    public static IResult SignInDelayed(int seconds) => RetryAfter(seconds,
        Create(429, "sign_in_delayed", "Too many wrong passwords for this address. Try again later, or reset the password."));

    public static IResult Busy() => RetryAfter(1, Create(503, "busy", "Too many requests at once. Try again in a moment."));

    public static IResult Unavailable() => RetryAfter(5, Create(503, "unavailable", "The service is not available right now. Nothing is half done."));

    public static ProblemHttpResult Internal() => Create(500, "internal", "Something went wrong on our side.");

    /// <summary>The code of a refusal of this catalogue.</summary>
    public static string CodeOf(IResult refusal) =>
        (string)(refusal is RetryAfterResult later ? later.Problem : (ProblemHttpResult)refusal).ProblemDetails.Extensions["code"]!;

    /// <summary>The code of a refusal that routing, not an endpoint, makes.</summary>
    public static string CodeOf(int status) => status switch
    {
        401 => "unauthenticated",
        403 => "forbidden",
        404 => "not_found",
        405 => "method_not_allowed",
        413 => "payload_too_large",
        415 => "unsupported_media_type",
        503 => "unavailable",
        >= 500 => "internal",
        _ => "malformed_json",
    };

    private static ProblemHttpResult Create(int status, string code, string detail, Dictionary<string, object?>? extensions = null)
    {
        var members = extensions ?? [];
        members["code"] = code;
        return TypedResults.Problem(detail, statusCode: status, extensions: members);
    }

    private static RetryAfterResult RetryAfter(long seconds, ProblemHttpResult problem) => new(seconds, problem);

    private sealed class RetryAfterResult(long seconds, ProblemHttpResult problem) : IResult, IStatusCodeHttpResult
    {
        public ProblemHttpResult Problem => problem;

        public int? StatusCode => problem.StatusCode;

        public Task ExecuteAsync(HttpContext httpContext)
        {
            httpContext.Response.Headers.RetryAfter = Math.Max(1, seconds).ToString(System.Globalization.CultureInfo.InvariantCulture);
            return problem.ExecuteAsync(httpContext);
        }
    }
}
