namespace Ariya.Api.Idempotency;

/// <summary>The mark of a route whose requests may carry an Idempotency-Key.</summary>
internal sealed record Idempotent;

internal static class IdempotencyRegistration
{
    public static void AddIdempotency(this IHostApplicationBuilder builder)
    {
        builder.Services.AddSingleton<RequestKeys>();
        builder.Services.AddScoped<IdempotentWork>();
    }

    public static RouteHandlerBuilder Idempotent(this RouteHandlerBuilder builder) => builder.WithMetadata(new Idempotent());
}
