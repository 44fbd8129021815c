using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Commands;
using Ariya.Worker.Keys;
using Ariya.Worker.Mail;
using Ariya.Worker.Outbox;

EnvironmentSettings.UseNodeEnvironment();
// Settings lie beside the program, wherever it is started from.
var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
builder.AddEnvironmentSettings();
builder.AddServiceDefaults();
builder.AddNpgsqlDbContext<AriyaDbContext>(AriyaDbContext.ConnectionName, settings =>
{
    settings.DisableRetry = true;
    settings.ConnectionString = settings.ConnectionString is { } connection ? DatabaseConnection.Tune(connection, "ariya-worker") : null;
});
builder.Services.AddSingleton(TimeProvider.System);
builder.Services.AddSingleton(SecretSettings.Read(builder.Configuration, SecretSettings.JwtSecret));

if (args is ["migrate"])
{
    return await Migrate.RunAsync(builder);
}

if (args is [var command, ..] && !command.StartsWith('-'))
{
    Console.Error.WriteLine($"Unknown command '{command}'. Commands: migrate. Without one the worker runs.");
    return 2;
}

builder.Services.AddSingleton(PublicUrl.Read(builder.Configuration));
builder.Services.AddSingleton<OneTimeTokenKeys>();
builder.AddMail();
builder.AddOutbox();
builder.Services.AddHostedService<SigningKeyMaintenance>();

builder.Build().Run();
return 0;
