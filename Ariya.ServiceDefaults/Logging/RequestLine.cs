using Microsoft.AspNetCore.Http;

namespace Ariya.ServiceDefaults.Logging;

/// <summary>What <c>http.log</c> says of a request: nothing of its query, path, headers and body, and no address.</summary>
/// <param name="Method">One of HTTP's own, else <c>HTTP</c>.</param>
/// <param name="Route">The template; null when nothing is there.</param>
/// <param name="Status">Of the answer.</param>
/// <param name="Milliseconds">Until the answer was handed over.</param>
/// <param name="Bytes">Of the answer's body.</param>
/// <param name="TraceId">As the answer's problem has it.</param>
/// <param name="Network">The client's, shortened.</param>
/// <param name="Code">Of the problem, with a refusal.</param>
/// <param name="IsAborted">Whether the client left first.</param>
internal readonly record struct RequestLine(
    string Method, string? Route, int Status, double Milliseconds, long Bytes, string TraceId, string? Network, string? Code, bool IsAborted)
{
    public const string Category = "Ariya.Http";

    public static string MethodOf(HttpContext context) => context.Request.Method is var method
        && (HttpMethods.IsGet(method) || HttpMethods.IsPost(method) || HttpMethods.IsPut(method) || HttpMethods.IsPatch(method) || HttpMethods.IsDelete(method)
            || HttpMethods.IsHead(method) || HttpMethods.IsOptions(method) || HttpMethods.IsTrace(method) || HttpMethods.IsConnect(method))
        ? method.ToUpperInvariant()
        : "HTTP";
}

/// <summary>The stable code of a refusal, as a feature of its request: the request's line says it.</summary>
/// <param name="Code">One of the catalogue's.</param>
public sealed record RefusalCode(string Code);
