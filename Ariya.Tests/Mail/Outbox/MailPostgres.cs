using Ariya.Data;
using Ariya.Tests.Distributed;
using Microsoft.EntityFrameworkCore;

namespace Ariya.Tests.Mail.Outbox;

/// <summary>A PostgreSQL for the tests of the outbox; each test gets a database of its own, copied from one with the schema.</summary>
public sealed class MailPostgres : IAsyncLifetime
{
    private readonly TemplatePostgres _postgres = new("mailpostgres");

    public Task InitializeAsync() => _postgres.InitializeAsync(async connection =>
    {
        await using var db = new AriyaDbContext(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql(connection).Options);
        await db.Database.MigrateAsync();
    });

    public Task DisposeAsync() => _postgres.EndAsync();

    public Task<string> CreateDatabaseAsync() => _postgres.CreateDatabaseAsync();

    public Task DropDatabaseAsync(string name) => _postgres.DropDatabaseAsync(name);

    public string To(string database) => _postgres.To(database);

    /// <summary>Cuts every connection to a database and lets nobody in.</summary>
    public async Task TakeAwayAsync(string name)
    {
        await _postgres.AdministerAsync($"alter database {name} allow_connections false");
        await _postgres.AdministerAsync($"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'");
    }

    public Task BringBackAsync(string name) => _postgres.AdministerAsync($"alter database {name} allow_connections true");
}

[CollectionDefinition(Name)]
public sealed class MailPostgresTests : ICollectionFixture<MailPostgres>
{
    public const string Name = "A PostgreSQL for the outbox";
}
