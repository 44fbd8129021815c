using System.ComponentModel.DataAnnotations;
using System.Globalization;
using Ariya.ServiceDefaults.Settings;

namespace Ariya.Api.Http;

internal sealed class TransportOptions
{
    public const string Section = "Hsts";

    /// <summary>How long a browser that was here over https comes back over https only (RFC 6797). Zero: nothing is said.</summary>
    [Range(typeof(TimeSpan), "00:00:00", "730.00:00:00")]
    public TimeSpan MaxAge { get; set; } = TimeSpan.FromDays(365);
}

internal static class SecurityHeaders
{
    /// <summary>
    /// Headers of every answer. Nothing is cached unless an endpoint says otherwise; pages may load their own stylesheet and
    /// post to their own origin, nothing else. <c>no-referrer</c> keeps a mailed token out of other sites' logs.
    /// </summary>
    /// <param name="app">The program.</param>
    /// <param name="transport">What is said about https, when the public address is https.</param>
    public static void UseSecurityHeaders(this WebApplication app, TransportOptions transport)
    {
        var strictTransport = transport.MaxAge > TimeSpan.Zero && app.Services.GetRequiredService<PublicUrl>().Base.Scheme == "https"
            ? string.Create(CultureInfo.InvariantCulture, $"max-age={(long)transport.MaxAge.TotalSeconds}")
            : null;
        app.Use((context, next) =>
        {
            // At the last moment: the exception handler starts its answer from nothing.
            context.Response.OnStarting(state =>
            {
                var headers = ((HttpContext)state).Response.Headers;
                headers.CacheControl = headers.CacheControl.Count > 0 ? headers.CacheControl : "no-store";
                headers.XContentTypeOptions = "nosniff";
                headers["Referrer-Policy"] = "no-referrer";
                headers["X-Robots-Tag"] = "noindex";
                // No other site's window holds ours, and no other site embeds what is answered here; scripts that CORS admits are not concerned.
                headers["Cross-Origin-Opener-Policy"] = "same-origin";
                headers["Cross-Origin-Resource-Policy"] = "same-origin";
                headers["Permissions-Policy"] = "camera=(), geolocation=(), microphone=(), payment=(), usb=()";
                if (strictTransport is not null)
                {
                    headers.StrictTransportSecurity = strictTransport;
                }

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
