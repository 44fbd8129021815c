using Ariya.ServiceDefaults.Settings;
using Microsoft.AspNetCore.Authentication;

namespace Ariya.Api.Sessions;

internal static class SessionRegistration
{
    public static void AddSessions(this IHostApplicationBuilder builder)
    {
        builder.AddSettings<SessionLifetimeOptions>(SessionLifetimeOptions.Section);
        builder.Services.AddSingleton<SigningKeyRing>();
        builder.Services.AddSingleton<SessionMetrics>();
        builder.Services.AddSingleton<CallerCache>();
        builder.Services.AddHostedService<ChangeWatch>();
        builder.Services.AddSingleton<AccessTokens>();
        builder.Services.AddScoped<SessionTokens>();
        builder.Services.AddAuthorization();
        builder.Services.AddAuthentication(BearerAuthentication.SchemeName)
            .AddScheme<AuthenticationSchemeOptions, BearerAuthentication>(BearerAuthentication.SchemeName, null);
    }
}
