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
        builder.Services.AddHealthChecks().AddCheck($"{name}_check", new PostgresHealthCheck(server));
        return builder.AddResource(server)
            .WithImage("library/postgres", "18.3")
            .WithImageRegistry("docker.io")
            .WithEndpoint(port: port, targetPort: 5432, name: "tcp")
            .WithEnvironment("POSTGRES_HOST_AUTH_METHOD", "scram-sha-256")
            .WithEnvironment("POSTGRES_INITDB_ARGS", "--auth-host=scram-sha-256 --auth-local=scram-sha-256")
            .WithEnvironment("POSTGRES_USER", server.UserName)
            .WithEnvironment("POSTGRES_PASSWORD", passwordParameter)
            .WithHealthCheck($"{name}_check")
            .OnResourceReady((resource, _, cancel) => CreateDatabasesAsync(resource, builder, cancel));
    }

    public static IResourceBuilder<PostgresDatabaseResource> AddDatabase(
        this IResourceBuilder<PostgresServerResource> builder, string name, string? databaseName = null)
    {
        var database = new PostgresDatabaseResource(name, databaseName ?? name, builder.Resource);
        builder.ApplicationBuilder.Services.AddHealthChecks().AddCheck($"{name}_check", new PostgresHealthCheck(database));
        return builder.ApplicationBuilder.AddResource(database).WithHealthCheck($"{name}_check");
    }

    public static IResourceBuilder<PostgresServerResource> WithDataVolume(
        this IResourceBuilder<PostgresServerResource> builder, string? name = null, bool isReadOnly = false) =>
        builder.WithVolume(name, "/var/lib/postgresql", isReadOnly);

    [SuppressMessage("Security", "CA2100", Justification = "CREATE DATABASE takes no parameters; the name is the model's, and quoted.")]
    private static async Task CreateDatabasesAsync(
        PostgresServerResource server, IDistributedApplicationBuilder builder, CancellationToken cancellationToken)
    {
        // A database that the caller gave is his own: nothing is created for it.
        var names = builder.Resources.OfType<PostgresDatabaseResource>()
            .Where(d => d.Parent == server && !d.Has<GivenConnectionStringAnnotation>()).Select(d => d.DatabaseName).ToList();
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
            // A kept data folder has it from an earlier run, and each failed attempt would be an error in the server's console.
            await using var find = new NpgsqlCommand("select 1 from pg_database where datname = $1", connection);
            find.Parameters.Add(new NpgsqlParameter { Value = name });
            if (await find.ExecuteScalarAsync(cancellationToken) is null)
            {
                await using var create = new NpgsqlCommand($"CREATE DATABASE \"{name.Replace("\"", "\"\"")}\"", connection);
                await create.ExecuteNonQueryAsync(cancellationToken);
            }
        }
    }
}

public static class RedisBuilderExtensions
{
    public static IResourceBuilder<RedisResource> AddRedis(
        this IDistributedApplicationBuilder builder, string name, int? port = null, IResourceBuilder<ParameterResource>? password = null)
    {
        // It ends up in a command line and in a comma separated connection string.
        var passwordParameter = password?.Resource
            ?? ParameterResourceBuilderExtensions.CreateDefaultPasswordParameter(builder, $"{name}-password", special: false);
        var redis = new RedisResource(name, passwordParameter);
        builder.Services.AddHealthChecks().AddCheck($"{name}_check", new RedisHealthCheck(redis));
        return builder.AddResource(redis)
            .WithImage("library/redis", "8.6")
            .WithImageRegistry("docker.io")
            .WithEndpoint(port: port, targetPort: 6379, scheme: "redis", name: "tcp")
            .WithEnvironment("REDIS_PASSWORD", passwordParameter)
            .WithHealthCheck($"{name}_check");
    }
}
