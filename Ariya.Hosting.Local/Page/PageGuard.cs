using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ariya.Hosting.Local.Page;

/// <summary>
/// Who may see and press. Every program and every web page on this machine can reach a loopback port, so: the name in the Host
/// header must be loopback's own (another name that points here is an attack), the first visit must bring the token that the
/// host printed, later ones the cookie it was exchanged for, and a command must come from the page itself.
/// </summary>
internal sealed class PageGuard(string startToken, string session)
{
    private const string CookieName = "ariya-host";

    public string StartToken => startToken;

    public Task CheckAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.CacheControl = "no-store";
        headers.XContentTypeOptions = "nosniff";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";

        var request = context.Request;
        if (request.Host.Host is not ("localhost" or "127.0.0.1" or "[::1]"))
        {
            return RefuseAsync(context, StatusCodes.Status421MisdirectedRequest, "This page answers to localhost only.");
        }

        if (!HttpMethods.IsGet(request.Method) && !IsFromPage(request))
        {
            return RefuseAsync(context, StatusCodes.Status403Forbidden, "Commands are taken from this page only.");
        }

        if (request.Path == "/" && request.Query["t"].FirstOrDefault() is { } token && AreEqual(token, startToken))
        {
            context.Response.Cookies.Append(CookieName, session, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Strict });
            // The token leaves the address bar and the history entry.
            context.Response.Redirect("/");
            return Task.CompletedTask;
        }

        return AreEqual(request.Cookies[CookieName] ?? "", session)
            ? next(context)
            : RefuseAsync(context, StatusCodes.Status401Unauthorized, "Open the address that the host has printed: it carries a token.");
    }

    /// <summary>Other ports of localhost are the same site to a cookie, so the origin is compared, port and all.</summary>
    private static bool IsFromPage(HttpRequest request)
    {
        var origin = request.Headers.Origin.ToString();
        var site = request.Headers["Sec-Fetch-Site"].ToString();
        return origin == $"{request.Scheme}://{request.Host}" && site is "" or "same-origin";
    }

    private static bool AreEqual(string given, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(expected));

    private static Task RefuseAsync(HttpContext context, int status, string reason)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "text/plain; charset=utf-8";
        return context.Response.WriteAsync(reason + "\n", context.RequestAborted);
    }
}
