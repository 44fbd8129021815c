using System.Diagnostics;
using System.Text.Json;
using Ariya.ServiceDefaults.Logging;
using Microsoft.AspNetCore.Diagnostics;
using Microsoft.AspNetCore.Http.HttpResults;
using Npgsql;

namespace Ariya.Api.Problems;

internal static class ProblemAnswers
{
    /// <summary>Every answer of 400 and above is a problem with <c>type</c>, <c>title</c>, <c>status</c>, <c>code</c> and <c>traceId</c>.</summary>
    public static void AddProblems(this IHostApplicationBuilder builder)
    {
        builder.Services.AddExceptionHandler<UnhandledExceptions>();
        builder.Services.AddProblemDetails(options => options.CustomizeProblemDetails = context =>
        {
            var problem = context.ProblemDetails;
            problem.Extensions.TryAdd("code", Problem.CodeOf(problem.Status ?? context.HttpContext.Response.StatusCode));
            context.HttpContext.Features.Set(new RefusalCode((string)problem.Extensions["code"]!));
            problem.Type = $"urn:ariya:problem:{problem.Extensions["code"]}";
            problem.Extensions["traceId"] = Activity.Current?.TraceId.ToHexString() ?? context.HttpContext.TraceIdentifier;
        });
    }

    public static void UseProblems(this IApplicationBuilder app)
    {
        // The handler below writes the one log record.
        app.UseExceptionHandler(new ExceptionHandlerOptions { SuppressDiagnosticsCallback = _ => true });
        app.UseStatusCodePages();
    }
}

internal sealed partial class UnhandledExceptions(ILogger<UnhandledExceptions> logger, EventRate rate) : IExceptionHandler
{
    public async ValueTask<bool> TryHandleAsync(HttpContext httpContext, Exception exception, CancellationToken cancellationToken)
    {
        if (exception is OperationCanceledException or IOException && httpContext.RequestAborted.IsCancellationRequested)
        {
            return true;
        }

        var answer = exception switch
        {
            BadHttpRequestException { StatusCode: StatusCodes.Status413PayloadTooLarge } => Problem.PayloadTooLarge(),
            BadHttpRequestException { StatusCode: StatusCodes.Status415UnsupportedMediaType } => Problem.UnsupportedMediaType(),
            BadHttpRequestException { InnerException: JsonException json } => OfJson(json),
            BadHttpRequestException => Problem.MalformedJson(),
            PostgresException refusal => IsOutage(refusal.SqlState) ? Problem.Unavailable() : Problem.Internal(),
            NpgsqlException or TimeoutException or PlatformNotSupportedException => Problem.Unavailable(),
            _ => Problem.Internal(),
        };
        // A stranger can cause them, by a body that stops for one.
        if (exception is not BadHttpRequestException && rate.Admits("request.failed", out var withheld))
        {
            Log.Failed(logger, httpContext.Features.Get<IExceptionHandlerFeature>()?.Endpoint?.DisplayName, withheld, exception);
        }

        await answer.ExecuteAsync(httpContext);
        return true;
    }

    // The server is there but cannot serve now: connections (08), resources (53), shutdown and time-outs (57), locks (55P03),
    // read-only after a role change (25006), conflicts that outlived their retries (40), its disk or its own code (58, XX), and a trigger that
    // says no (P0001), for none is ours. Everything else is a fault of ours.
    private static bool IsOutage(string sqlState) =>
        sqlState is "55P03" or "25006" or "P0001" || sqlState[..2] is "08" or "53" or "57" or "40" or "58" or "XX";

    // A syntax error wraps the reader's exception; a wrong type, an unknown or a repeated member names its path: $.email
    private static ProblemHttpResult OfJson(JsonException json)
    {
        var field = json.Path?.TrimStart('$', '.');
        return string.IsNullOrEmpty(field) || json.InnerException is JsonException
            ? Problem.MalformedJson()
            : Problem.Validation(field, "This field is unknown, repeated or of the wrong type.");
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Error, "{Endpoint} failed ({Withheld} lines withheld)")]
        public static partial void Failed(ILogger logger, string? endpoint, long withheld, Exception exception);
    }
}
