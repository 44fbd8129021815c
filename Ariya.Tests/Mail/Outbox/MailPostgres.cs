using Ariya.Data;
using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>A PostgreSQL for the tests of the outbox; each test gets a database of its own, copied from one with the schema.</summary>
public sealed class MailPostgres : IAsyncLifetime
{
    private const string Template = "outboxtemplate";

    private DistributedApplication? _app;
    private string _connection = "";

    public async Task InitializeAsync()
    {
        using var timeout = new CancellationTokenSource(TimeSpan.FromMinutes(8));
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddPostgres("mailpostgres").AddDatabase(Template);
        _app = await builder.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        await _app.ResourceNotifications.WaitForResourceHealthyAsync(Template, timeout.Token);
        _connection = (await _app.GetConnectionStringAsync(Template, timeout.Token))!;
        await using var db = new AriyaDbContext(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql(To(Template)).Options);
        await db.Database.MigrateAsync(timeout.Token);
    }

    public async Task DisposeAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }
    }

    public async Task<string> CreateDatabaseAsync()
    {
        var name = $"t{Guid.CreateVersion7():N}";
        await AdministerAsync($"create database {name} template {Template}");
        return name;
    }

    public Task DropDatabaseAsync(string name) => AdministerAsync($"drop database {name} with (force)");

    /// <summary>Cuts every connection to a database and lets nobody in.</summary>
    public async Task TakeAwayAsync(string name)
    {
        await AdministerAsync($"alter database {name} allow_connections false");
        await AdministerAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    }

    public Task BringBackAsync(string name) => AdministerAsync($"alter database {name} allow_connections true");

    // A connection that stays open to the template would keep it from being copied.
    public string To(string database) =>
        new NpgsqlConnectionStringBuilder(_connection) { Database = database, Pooling = database != Template }.ConnectionString;

    private async Task AdministerAsync(string sql)
    {
        var admin = new NpgsqlConnectionStringBuilder(_connection) { Database = "postgres", Pooling = false };
        await using var connection = new NpgsqlConnection(admin.ConnectionString);
        await connection.OpenAsync();
#pragma warning disable CA2100 // Names are made here.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }
}

[CollectionDefinition(Name)]
public sealed class MailPostgresTests : ICollectionFixture<MailPostgres>
{
    public const string Name = "A PostgreSQL for the outbox";
}
