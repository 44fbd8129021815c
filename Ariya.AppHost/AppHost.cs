// The application model: what runs, what it needs and in which order. Aspire's API and nothing else.
var builder = DistributedApplication.CreateBuilder(args);

// Generated on the first run and kept, so that sessions and mailed links outlive a restart.
var jwtSecret = builder.AddParameter("jwt-secret",
    new GenerateParameterDefault { MinLength = 48, Special = false }, secret: true, persist: true);
var jwtRefreshSecret = builder.AddParameter("jwt-refresh-secret",
    new GenerateParameterDefault { MinLength = 48, Special = false }, secret: true, persist: true);

var postgres = builder.AddPostgres("postgres");
if (builder.Configuration["UseVolumes"] != "false")
{
    postgres.WithDataVolume();
}

var ariyadb = postgres.AddDatabase("ariyadb");

var cache = builder.AddRedis("cache");

var maildev = builder.AddMailDev("maildev", httpPort: 1080, smtpPort: 1025);

var migrations = builder.AddProject<Projects.Ariya_Worker>("migrations")
    .WithArgs("migrate")
    .WithReference(ariyadb)
    .WaitFor(ariyadb)
    .WithEnvironment("JWT_SECRET", jwtSecret);

// Neither the API nor the worker waits for Redis or the mail relay: both work while those are away.
var api = builder.AddProject<Projects.Ariya_Api>("api")
    .WithExternalHttpEndpoints()
    .WithHttpHealthCheck("/health")
    .WithReference(ariyadb)
    .WithReference(cache)
    .WithEnvironment("JWT_SECRET", jwtSecret)
    .WithEnvironment("JWT_REFRESH_SECRET", jwtRefreshSecret)
    .WaitForCompletion(migrations);
api.WithEnvironment("APP_URL", api.GetEndpoint("http"));

var worker = builder.AddProject<Projects.Ariya_Worker>("worker")
    .WithReference(ariyadb)
    .WithReference(maildev)
    .WithEnvironment("JWT_SECRET", jwtSecret)
    .WithEnvironment("APP_URL", api.GetEndpoint("http"))
    .WaitForCompletion(migrations);

// Kept with the data, a directory a process; whoever keeps no data keeps no logs.
if (builder.Configuration["UseVolumes"] != "false")
{
    var data = builder.Configuration["AppHost:DataDirectory"] ?? Path.Combine(builder.AppHostDirectory, "..", ".data");
    api.WithEnvironment("Logs__Directory", Path.GetFullPath(Path.Combine(data, "logs", "api")));
    worker.WithEnvironment("Logs__Directory", Path.GetFullPath(Path.Combine(data, "logs", "worker")));
}

builder.Build().Run();
