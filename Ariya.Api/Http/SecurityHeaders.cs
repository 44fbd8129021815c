namespace Ariya.Api.Http;

internal static class SecurityHeaders
{
    /// <summary>
    /// Headers of every answer. Nothing is cached unless an endpoint says otherwise; pages may load their own stylesheet and
    /// post to their own origin, nothing else. <c>no-referrer</c> keeps a mailed token out of other sites' logs.
    /// </summary>
    public static void UseSecurityHeaders(this IApplicationBuilder app)
    {
        app.Use((context, next) =>
        {
            var headers = context.Response.Headers;
            headers.CacheControl = "no-store";
            headers.XContentTypeOptions = "nosniff";
            headers["Referrer-Policy"] = "no-referrer";
            headers["X-Robots-Tag"] = "noindex";
            headers.ContentSecurityPolicy =
                "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
            return next(context);
        });
    }
}
