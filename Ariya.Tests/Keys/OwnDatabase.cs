using Ariya.Data;
using Ariya.Tests.Distributed;
using Aspire.Hosting.Testing;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Tests.Keys;

/// <summary>A database of one test on the running server, with the schema and nothing in it.</summary>
internal sealed class OwnDatabase : IAsyncDisposable
{
    private readonly RunningAriya _ariya;
    private readonly string _name;

    private OwnDatabase(RunningAriya ariya, string name, string connectionString)
    {
        _ariya = ariya;
        _name = name;
        ConnectionString = connectionString;
    }

    public string ConnectionString { get; }

    public static async Task<OwnDatabase> CreateAsync(RunningAriya ariya)
    {
        var name = $"own_{Guid.CreateVersion7():N}";
        await ariya.SqlAsync($"create database {name}");
        var connection = new NpgsqlConnectionStringBuilder(await ariya.App.GetConnectionStringAsync("ariyadb"))
        {
            Database = name,
            Pooling = false,
        };
        var database = new OwnDatabase(ariya, name, connection.ConnectionString);
        await using var db = database.Open();
        await db.Database.MigrateAsync();
        return database;
    }

    public AriyaDbContext Open() => new(new DbContextOptionsBuilder<AriyaDbContext>().UseNpgsql(ConnectionString).Options);

    public async Task SqlAsync(string sql)
    {
        await using var db = Open();
        await db.Database.ExecuteSqlRawAsync(sql);
    }

    public async ValueTask DisposeAsync() => await _ariya.SqlAsync($"drop database {_name} with (force)");
}
