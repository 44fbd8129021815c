using System.Security.Cryptography;
using System.Text;
using Microsoft.AspNetCore.Http;

namespace Ariya.Hosting.Local.Page;

/// <summary>
/// Who may see and press. Every program and every web page on this machine can reach a loopback port, so: the name in the Host
/// header must be loopback's own (another name that points here is an attack), whoever asks for anything but the empty page must
/// bring the token that the host printed, and a command must come from the page itself. The page's script keeps the token: a
/// cookie of localhost would go to every port of it, and two hosts would overwrite each other's.
/// </summary>
internal sealed class PageGuard(string token)
{
    public const string Header = "Ariya-Token";

    public string Token => token;

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

        var isRead = HttpMethods.IsGet(request.Method);
        if (!isRead && !IsFromPage(request))
        {
            return RefuseAsync(context, StatusCodes.Status403Forbidden, "Commands are taken from this page only.");
        }

        // An event stream cannot have a header of the script's choice.
        var given = (isRead ? request.Query["t"] : request.Headers[Header]).ToString();
        var isEmptyPage = isRead && request.Path == "/";
        return isEmptyPage || AreEqual(given, token)
            ? next(context)
            : RefuseAsync(context, StatusCodes.Status401Unauthorized, "Open the address that the host has printed: it carries a token.");
    }

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
