using Ariya.Api;
using Ariya.Api.Accounts;
using Ariya.Api.Accounts.Avatars;
using Ariya.Api.Auth;
using Ariya.Api.Health;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Limits;
using Ariya.Api.OpenApi;
using Ariya.Api.Outbox;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;
using Ariya.Api.Redis;
using Ariya.Api.Sessions;
using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;

ProgramEnd.OnFailure();
EnvironmentSettings.UseNodeEnvironment();
// Settings lie beside the program, wherever it is started from.
var builder = WebApplication.CreateBuilder(new WebApplicationOptions { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.AddEnvironmentSettings();
builder.AddServiceDefaults();

builder.AddNpgsqlDbContext<AriyaDbContext>(AriyaDbContext.ConnectionName, settings =>
{
    // A statement that may have committed is never sent again by itself.
    settings.DisableRetry = true;
    settings.ConnectionString = builder.CheckDatabase(settings.ConnectionString) is { } connection ? DatabaseConnection.Tune(connection, "ariya-api") : null;
});

builder.Services.AddSingleton(TimeProvider.System);
builder.AddSetting(() => SecretSettings.Read(builder.Configuration, SecretSettings.JwtSecret));
builder.AddSetting(() => new RefreshTokens(SecretSettings.Read(builder.Configuration, SecretSettings.JwtRefreshSecret)));
builder.Services.AddSingleton<OneTimeTokenKeys>();
builder.Services.AddSingleton<AddressKeys>();
builder.Services.AddSingleton<AuthEvents>();
builder.Services.AddSingleton<SecurityEvents>();
builder.Services.AddSingleton<ProfileCache>();
builder.Services.AddScoped<MailRequests>();
builder.Services.AddScoped<Register>();
builder.Services.AddScoped<EmailVerification>();
builder.Services.AddScoped<PasswordReset>();
builder.Services.AddScoped<Login>();
builder.Services.AddScoped<Refresh>();
builder.Services.AddScoped<CurrentPassword>();
builder.Services.AddScoped<ChangePassword>();
builder.Services.AddScoped<ChangeEmail>();
builder.Services.AddScoped<ConfirmEmailChange>();
builder.Services.AddScoped<EmailChangeUndo>();
builder.Services.AddScoped<DeleteAccount>();
builder.Services.AddScoped<UpdateAccount>();
builder.Services.AddScoped<PutAvatar>();
builder.AddSetting(() => PublicUrl.Read(builder.Configuration, builder.Environment));
builder.AddPasswords();
builder.AddSessions();
builder.AddStrictJson();
builder.AddRequestTimes();
builder.AddCrossOrigin();
var transport = builder.AddSettings<TransportOptions>(TransportOptions.Section);
builder.AddProblems();
builder.AddClientNetworks();
Drain.AddTo(builder);
builder.AddOutboxBell();
builder.AddRedisCalls();
builder.AddRequestLimits();
builder.AddIdempotency();
builder.AddHealthReport();
builder.AddApiDocument();
builder.ThrowIfSettingsAreWrong();

var app = builder.Build();
app.UseRequestTelemetry(context => ClientInfo.Of(context).Network);
app.UseClientNetworks();
app.UseSecurityHeaders(transport);
app.UseProblems();
app.UseDocsPage();
app.UseRouting();
app.UseRequestTimes();
app.UseCors();
app.UseRequestLimits();
app.UseAuthentication();
app.UseAuthorization();
app.MapDefaultEndpoints();
app.MapRoutes();
return await app.RunToEndAsync();
