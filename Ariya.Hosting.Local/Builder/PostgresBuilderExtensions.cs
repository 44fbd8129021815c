using System.Diagnostics.CodeAnalysis;
using Ariya.Hosting.Local.Orchestration;
using Aspire.Hosting.ApplicationModel;
using Microsoft.Extensions.DependencyInjection;
using Npgsql;

namespace Aspire.Hosting;

public static class PostgresBuilderExtensions
{
    public static IResourceBuilder<PostgresServerResource> AddPostgres(
        this IDistributedApplicationBuilder builder, string name, IResourceBuilder<ParameterResource>? userName = null,
        IResourceBuilder<ParameterResource>? password = null, int? port = null)
    {
        var passwordParameter = password?.Resource
            ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password");
        var server = new PostgresServerResource(name, userName?.Resource, passwordParameter);
        AddHealthCheck(builder, server);
        return builder.AddResource(server)
            .WithImage("library/postgres", "18.3")
            .WithImageRegistry("docker.io")
            .WithEndpoint(port: port, targetPort: 5432, name: PostgresServerResource.PrimaryEndpointName)
            .WithEnvironment("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256")
            .WithEnvironment("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256 --auth-local=scram-sha-256")
            .WithEnvironment("POSTGRES_USER", server.UserNameReference)
            .WithEnvironment("POSTGRES_PASSWORD", passwordParameter)
            .WithHealthCheck($"{name}_check")
            .OnResourceReady((resource, _, cancel) => CreateDatabasesAsync(resource, builder, cancel));
    }

    public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(
        this IResourceBuilder<PostgresServerResource> builder, string name, string? databaseName = null)
    {
        var database = new PostgresDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.Resource.AddDatabase(name, database.DatabaseName);
        AddHealthCheck(builder.ApplicationBuilder, database);
        return builder.ApplicationBuilder.AddResource(database).WithHealthCheck($"{name}_check");
    }

    public static IResourceBuilder<PostgresServerResource> WithDataVolume(
        this IResourceBuilder<PostgresServerResource> builder, string? name = null, bool isReadOnly = false) =>
        builder.WithVolume(name, "/var/lib/postgresql", isReadOnly);

    public static IResourceBuilder<PostgresServerResource> WithHostPort(this IResourceBuilder<PostgresServerResource> builder, int? port) =>
        builder.WithEndpoint(PostgresServerResource.PrimaryEndpointName, endpoint => endpoint.Port = port);

    private static void AddHealthCheck(IDistributedApplicationBuilder builder, IResourceWithConnectionString resource) =>
        builder.Services.AddHealthChecks().AddCheck($"{resource.Name}_check", new PostgresHealthCheck(resource));

    [SuppressMessage("Security", "CA2100", Justification = "CREATE DATABASE takes no parameters; the name is the model's, and quoted.")]
    private static async Task CreateDatabasesAsync(
        PostgresServerResource server, IDistributedApplicationBuilder builder, CancellationToken cancellationToken)
    {
        // A database that the caller gave is his own: nothing is created for it.
        var names = builder.Resources.OfType<PostgresDatabaseResource>()
            .Where(d => d.Parent == server && !d.Annotations.OfType<GivenConnectionStringAnnotation>().Any())
            .Select(d => d.DatabaseName).ToList();
        if (names.Count == 0)
        {
            return;
        }

        var connectionString = await ((IResourceWithConnectionString)server).GetConnectionStringAsync(cancellationToken);
        var settings = new NpgsqlConnectionStringBuilder(connectionString) { Database = "postgres", Pooling = false };
        await using var connection = new NpgsqlConnection(settings.ConnectionString);
        await connection.OpenAsync(cancellationToken);
        foreach (var name in names)
        {
            try
            {
                await using var create = new NpgsqlCommand($"CREATE DATABASE \"{name.Replace("\"", "\"\"")}\"", connection);
                await create.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.DuplicateDatabase)
            {
                // A kept data folder has it from an earlier run.
            }
        }
    }
}
