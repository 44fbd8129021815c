using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Tokens;
using Ariya.ServiceDefaults.Settings;
using Ariya.Worker.Audit;
using Ariya.Worker.Cleanup;
using Ariya.Worker.Commands;
using Ariya.Worker.Keys;
using Ariya.Worker.Mail;
using Ariya.Worker.Outbox;
using Microsoft.EntityFrameworkCore;
using Npgsql;

ProgramEnd.OnFailure();
EnvironmentSettings.UseNodeEnvironment();
// Settings lie beside the program, wherever it is started from.
var builder = Host.CreateApplicationBuilder(new HostApplicationBuilderSettings { Args = args, ContentRootPath = AppContext.BaseDirectory });
var command = args.Where(argument => argument != "--yes").ToArray() is [var name, ..] && (Command.IsHelp(name) || !name.StartsWith('-')) ? name : null;
if (command is not null && !Command.IsKnown(command))
{
    return Command.Help(command);
}

builder.AddEnvironmentSettings();
builder.AddServiceDefaults();
builder.AddNpgsqlDataSource(AriyaDatabase.ConnectionName, settings =>
    settings.ConnectionString = builder.CheckDatabase(settings.ConnectionString) is { } connection ? DatabaseConnection.Tune(connection, "ariya-worker", isPatient: command is not null) : null);
builder.Services.AddScoped<AriyaDatabase>();
builder.Services.AddSingleton(TimeProvider.System);
builder.AddSetting(() => SecretSettings.Read(builder.Configuration, SecretSettings.JwtSecret));
if (command is not null)
{
    builder.Services.AddDbContext<AriyaDbContext>((services, options) => options.UseNpgsql(services.GetRequiredService<NpgsqlDataSource>()));
    try
    {
        return await Command.RunAsync(builder, args);
    }
    catch (InvalidOperationException exception)
    {
        // Settings that are wrong, by name.
        Console.Error.WriteLine($"{command} failed: {exception.Message}");
        return OneShot.Failed;
    }
}

// Below the half minute after which orchestrators kill. One that waits for a silent server does not keep the others from being told.
builder.Services.Configure<HostOptions>(host =>
{
    host.ShutdownTimeout = TimeSpan.FromSeconds(22);
    host.ServicesStopConcurrently = true;
});
builder.AddSetting(() => PublicUrl.Read(builder.Configuration, builder.Environment));
builder.Services.AddSingleton<OneTimeTokenKeys>();
builder.AddMail();
builder.AddOutbox();
builder.AddCleanup();
builder.Services.AddHostedService<CleanupSchedule>();
builder.Services.AddScoped<AuditChain>();
builder.Services.AddHostedService<AuditSealing>();
builder.Services.AddHostedService<SigningKeyMaintenance>();
builder.ThrowIfSettingsAreWrong();

return await builder.Build().RunToEndAsync();
