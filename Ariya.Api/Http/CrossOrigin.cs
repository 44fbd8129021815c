using Ariya.ServiceDefaults.Settings;

namespace Ariya.Api.Http;

internal sealed class CrossOriginOptions
{
    public const string Section = "Cors";

    /// <summary>Whose scripts may read answers of the API: exact origins, comma separated. Nobody else's.</summary>
    public string Origins { get; set; } = "";
}

/// <summary>
/// The API for pages of other origins (CORS). Tokens travel in a header that scripts set, so no browser needs to send credentials of its own.
/// </summary>
internal static class CrossOrigin
{
    public const string Policy = "api";

    private static readonly TimeSpan s_preflightAge = TimeSpan.FromHours(2);

    public static void AddCrossOrigin(this IHostApplicationBuilder builder)
    {
        var origins = builder.AddSettings<CrossOriginOptions>(CrossOriginOptions.Section).Origins
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        foreach (var origin in origins.Where(origin => !IsOrigin(origin)))
        {
            builder.AddWrongSetting($"Cors__Origins: '{origin}' is no origin as a browser sends it, such as https://app.example.com; there is no * and no path.");
        }

        builder.Services.AddCors(cors => cors.AddPolicy(Policy, policy => policy
            .WithOrigins([.. origins.Where(IsOrigin)])
            .WithMethods("GET", "POST", "PUT", "PATCH", "DELETE")
            .WithHeaders("Authorization", "Content-Type", "Idempotency-Key", "If-Match", "If-None-Match")
            .WithExposedHeaders(
                "ETag", "Idempotent-Replayed", "RateLimit", "RateLimit-Policy", "Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
            .SetPreflightMaxAge(s_preflightAge)));
    }

    // Lower case, without a port that the scheme has anyway.
    private static bool IsOrigin(string text) => !text.Contains('*') && Uri.TryCreate(text, UriKind.Absolute, out var url)
        && (url.Scheme is "http" or "https") && url.GetLeftPart(UriPartial.Authority) == text && url.UserInfo.Length == 0;
}
