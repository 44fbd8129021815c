using System.Text.Json;
using System.Text.Json.Serialization;

namespace Ariya.Api.Http;

internal static class StrictJson
{
    private const int MaxBodyBytes = 64 * 1024;
    private const int MaxDepth = 16;

    /// <summary>Bodies of at most 64 KB whose members are known, single and of the right type; anything else is a 400 that says where.</summary>
    public static void AddStrictJson(this WebApplicationBuilder builder)
    {
        builder.WebHost.ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = MaxBodyBytes;
        });
        // Development and Production answer alike; the exception becomes a problem in Problems/ProblemAnswers.cs.
        builder.Services.Configure<RouteHandlerOptions>(options => options.ThrowOnBadRequest = true);
        builder.Services.ConfigureHttpJsonOptions(options =>
        {
            options.SerializerOptions.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
            options.SerializerOptions.AllowDuplicateProperties = false;
            options.SerializerOptions.PropertyNameCaseInsensitive = false;
            options.SerializerOptions.NumberHandling = JsonNumberHandling.Strict;
            options.SerializerOptions.MaxDepth = MaxDepth;
            options.SerializerOptions.PropertyNamingPolicy = JsonNamingPolicy.CamelCase;
        });
    }
}
