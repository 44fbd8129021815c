using Aspire.Hosting;
using Aspire.Hosting.Testing;
using Npgsql;

namespace Ariya.Tests.Distributed;

/// <summary>A PostgreSQL of its own for a collection of tests; each test gets a database, copied from one that was prepared once.</summary>
internal sealed class TemplatePostgres(string name)
{
    private readonly string _template = $"{name}template";
    private DistributedApplication? _app;
    private string _connection = "";

    public int Port => new NpgsqlConnectionStringBuilder(_connection).Port;

    /// <param name="prepare">Gets the connection string of the database that the others are copied from.</param>
    public async Task InitializeAsync(Func<string, Task> prepare)
    {
        using var timeout = new CancellationTokenSource(RunningAriya.StartTimeout);
        var builder = DistributedApplicationTestingBuilder.Create();
        builder.AddPostgres(name).AddDatabase(_template);
        _app = await builder.BuildAsync(timeout.Token);
        await _app.StartAsync(timeout.Token);
        await _app.ResourceNotifications.WaitForResourceHealthyAsync(_template, timeout.Token);
        _connection = (await _app.GetConnectionStringAsync(_template, timeout.Token))!;
        await prepare(To(_template));
    }

    public async Task<string> CreateDatabaseAsync()
    {
        var database = $"t{Guid.CreateVersion7():N}";
        await AdministerAsync($"create database {database} template {_template}");
        return database;
    }

    public Task DropDatabaseAsync(string database) => AdministerAsync($"drop database {database} with (force)");

    // A connection that stays open to the template would keep it from being copied.
    public string To(string database) =>
        new NpgsqlConnectionStringBuilder(_connection) { Database = database, Pooling = database != _template }.ConnectionString;

    public async Task AdministerAsync(string sql)
    {
        var admin = new NpgsqlConnectionStringBuilder(_connection) { Database = "postgres", Pooling = false };
        await using var connection = new NpgsqlConnection(admin.ConnectionString);
        await connection.OpenAsync();
#pragma warning disable CA2100 // Names are made here.
        await using var command = new NpgsqlCommand(sql, connection);
#pragma warning restore CA2100
        await command.ExecuteNonQueryAsync();
    }

    public Task StopAsync() => CommandAsync("stop");

    public async Task StartAsync()
    {
        await CommandAsync("start");
        await _app!.ResourceNotifications.WaitForResourceHealthyAsync(name);
    }

    public async Task EndAsync()
    {
        if (_app is not null)
        {
            await _app.StopAsync();
            await _app.DisposeAsync();
        }
    }

    private async Task CommandAsync(string command) => Assert.True((await _app!.ResourceCommands.ExecuteCommandAsync(name, command)).Success);
}
