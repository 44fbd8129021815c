using Ariya.ServiceDefaults.Settings;

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
        // Not AddAuthentication: it brings Data Protection, which makes a key file at the first start and reads it at every other, for cookies that are not here.
        builder.Services.AddAuthenticationCore(options =>
        {
            options.DefaultScheme = BearerAuthentication.SchemeName;
            options.AddScheme<BearerAuthentication>(BearerAuthentication.SchemeName, null);
        });
        builder.Services.AddWebEncoders();
        builder.Services.AddTransient<BearerAuthentication>();
    }
}
