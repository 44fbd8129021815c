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
            // At the last moment: the exception handler starts its answer from nothing.
            context.Response.OnStarting(static state =>
            {
                var headers = ((HttpContext)state).Response.Headers;
                headers.CacheControl = headers.CacheControl.Count > 0 ? headers.CacheControl : "no-store";
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "no-referrer";
                headers["X-Robots-Tag"] = "noindex";
                if (headers.ContentSecurityPolicy.Count == 0)
                {
                    headers.ContentSecurityPolicy =
                        "default-src 'none'; style-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";
                }

                return Task.CompletedTask;
            }, context);
            return next(context);
        });
    }
}
