namespace Ariya.Api.OpenApi;

internal static class DocsPage
{
    private const string Path = "/docs";

    // The one style that stands in the page's script: the colours of its logo.
    private const string LogoStyle = "'sha256-RL3ie0nH+Lzz2YNqQN83mnU0J1ot4QL7b99vMdIX99w='";

    /// <summary>
    /// <c>/docs</c>: the document as a page to read and try. All of its files are in the program. Scripts may run here and nowhere
    /// else, and only those files.
    /// </summary>
    public static void UseDocsPage(this IApplicationBuilder app)
    {
        app.UseWhen(context => context.Request.Path.StartsWithSegments(Path), docs =>
        {
            docs.Use((context, next) =>
            {
                context.Response.Headers.ContentSecurityPolicy =
                    $"default-src 'none'; script-src 'self'; style-src 'self' {LogoStyle}; img-src 'self' data:; connect-src 'self'; "
                    + "form-action 'none'; frame-ancestors 'none'; base-uri 'none'";
                return next(context);
            });
            docs.UseSwaggerUI(page =>
            {
                page.RoutePrefix = Path[1..];
                page.DocumentTitle = "Ariya";
                page.SwaggerEndpoint(ApiDocument.Path, "Ariya");
                page.EnableValidator(null);
                page.CacheLifetime = null;
            });
        });
    }
}
