using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Passwords;
using Ariya.ServiceDefaults.Settings;
using Microsoft.EntityFrameworkCore;

namespace Ariya.Worker.Commands;

/// <summary>
/// <c>migrate</c>: brings the schema up to date and makes what a deployment has exactly once: the first signing key and the
/// choice of password algorithm. Safe to run again and from several machines at once. <c>--list</c> shows the migrations, <c>--to NAME</c>
/// goes to one of them, forwards or back, <c>--grant</c> also gives the roles of API and worker their rights, <c>--reset</c> makes the
/// database anew (Development only).
/// </summary>
internal static class Migrate
{
    public static Task<int> RunAsync(HostApplicationBuilder builder, string[] arguments, bool isConfirmed)
    {
        // On an empty database EF logs its look for the history table as an error. A real failure is thrown.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.None);
        builder.ReadSetting(() => WantedAlgorithm(builder.Configuration));
        return OneShot.RunAsync(builder, "migrate", (services, cancellationToken) => arguments switch
        {
            [] => UpAsync(services, builder.Configuration, cancellationToken),
            ["--grant"] => GrantAsync(services, builder.Configuration, cancellationToken),
            ["--list"] => ListAsync(services.Schema(), cancellationToken),
            ["--to", var name] => ToAsync(services.Schema(), name, isConfirmed, cancellationToken),
            ["--reset"] => ResetAsync(services, builder, isConfirmed, cancellationToken),
            _ => MisusedAsync(),
        });
    }

    private static async Task<int> UpAsync(IServiceProvider services, ConfigurationManager configuration, CancellationToken cancellationToken)
    {
        var (schema, db) = (services.Schema(), services.Database());
        await LockAsync(schema, cancellationToken);
        var pending = (await schema.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        foreach (var migration in pending)
        {
            Console.WriteLine($"Applying {migration}");
        }

        await schema.Database.MigrateAsync(cancellationToken);
        Console.WriteLine(pending.Count == 0 ? "The schema is up to date." : $"Applied {pending.Count} migration(s).");
        var keys = await SigningKeyTable.MaintainAsync(db, services.GetRequiredService<SecretKeys>(), cancellationToken);
        Console.WriteLine($"Signing keys: {keys.Made} made, {keys.Retired} retired, {keys.Resealed} sealed anew, {keys.Unreadable} that JWT_SECRET does not open.");
        Console.WriteLine($"Passwords are hashed with {await EnsurePasswordAlgorithmAsync(db, configuration, cancellationToken)}.");
        return OneShot.Done;
    }

    private static async Task<int> GrantAsync(IServiceProvider services, ConfigurationManager configuration, CancellationToken cancellationToken)
    {
        var result = await UpAsync(services, configuration, cancellationToken);
        using var script = new StreamReader(typeof(Migrate).Assembly.GetManifestResourceStream("Ariya.Worker.Commands.Roles.sql")!);
        await services.Schema().Database.ExecuteSqlRawAsync(await script.ReadToEndAsync(cancellationToken), cancellationToken);
        Console.WriteLine("The roles ariya_api and ariya_worker have their rights.");
        return result;
    }

    private static async Task<int> ListAsync(AriyaDbContext schema, CancellationToken cancellationToken)
    {
        var applied = (await schema.Database.GetAppliedMigrationsAsync(cancellationToken)).ToHashSet();
        var known = schema.Database.GetMigrations().ToList();
        foreach (var migration in known)
        {
            Console.WriteLine($"{(applied.Contains(migration) ? "applied" : "pending"),-8} {migration}");
        }

        foreach (var migration in applied.Except(known).Order(StringComparer.Ordinal))
        {
            Console.WriteLine($"newer    {migration} (applied by a later version than this one)");
        }

        return OneShot.Done;
    }

    private static async Task<int> ToAsync(AriyaDbContext schema, string name, bool isConfirmed, CancellationToken cancellationToken)
    {
        var known = schema.Database.GetMigrations().ToList();
        var target = known.FindIndex(migration => migration == name || migration[(migration.IndexOf('_', StringComparison.Ordinal) + 1)..] == name);
        if (target < 0)
        {
            await Console.Error.WriteLineAsync($"migrate: there is no migration '{name}'. --list shows their names.");
            return OneShot.Misused;
        }

        await LockAsync(schema, cancellationToken);
        var applied = (await schema.Database.GetAppliedMigrationsAsync(cancellationToken)).ToHashSet();
        var undone = known.Skip(target + 1).Where(applied.Contains).Reverse().ToList();
        if (undone.Count > 0 && !isConfirmed && !OneShot.IsConfirmed($"This takes back {string.Join(", ", undone)}, with the tables and columns they made.", "back"))
        {
            return OneShot.Failed;
        }

        await schema.Database.MigrateAsync(known[target], cancellationToken);
        Console.WriteLine($"The schema is at {known[target]}.");
        return OneShot.Done;
    }

    private static async Task<int> ResetAsync(
        IServiceProvider services, HostApplicationBuilder builder, bool isConfirmed, CancellationToken cancellationToken)
    {
        if (!builder.Environment.IsDevelopment())
        {
            await Console.Error.WriteLineAsync("migrate --reset removes everything and works in Development only (DOTNET_ENVIRONMENT=Development).");
            return OneShot.Failed;
        }

        var schema = services.Schema();
        var name = schema.Database.GetDbConnection().Database;
        if (!isConfirmed && !OneShot.IsConfirmed($"This removes everything in the database '{name}'.", name))
        {
            return OneShot.Failed;
        }

        await LockAsync(schema, cancellationToken);
        // The tables and not the database: whoever is connected stays connected, and no right to make databases is needed.
        await schema.Database.ExecuteSqlAsync(
            $"""
             do $$ declare t text; begin
               for t in select quote_ident(tablename) from pg_tables where schemaname = current_schema() loop
                 execute 'drop table ' || t || ' cascade';
               end loop;
             end $$
             """,
            cancellationToken);
        Console.WriteLine("Everything was removed.");
        return await UpAsync(services, builder.Configuration, cancellationToken);
    }

    private static async Task<int> MisusedAsync()
    {
        await Console.Error.WriteLineAsync("usage: migrate [--grant | --list | --to NAME | --reset]");
        return OneShot.Misused;
    }

    // Kept open so that the lock holds for the whole run: of two machines that migrate at once the second waits and finds nothing left to do.
    private static async Task LockAsync(AriyaDbContext schema, CancellationToken cancellationToken)
    {
        await schema.Database.OpenConnectionAsync(cancellationToken);
        await schema.Database.ExecuteSqlAsync($"set lock_timeout = 0", cancellationToken);
        await schema.Database.ExecuteSqlAsync($"select pg_advisory_lock(hashtext('ariya.migrate'))", cancellationToken);
    }

    // The first migrate decides; a later one never changes it, because hashes of both kinds differ in time.
    private static async Task<string> EnsurePasswordAlgorithmAsync(
        AriyaDatabase db, ConfigurationManager configuration, CancellationToken cancellationToken)
    {
        var wanted = WantedAlgorithm(configuration);
        if (!PasswordHash.CanCompute(wanted))
        {
            throw new PlatformNotSupportedException($"Passwords:Algorithm is '{wanted}', but libargon2 is not installed on this machine.");
        }

        var recorded = await db.QueryFirstAsync(
            $"""
             with i as (
               insert into deployment_settings (name, value) values ({DeploymentSetting.PasswordAlgorithm}, {wanted})
               on conflict (name) do nothing returning value)
             select value from i union all select value from deployment_settings where name = {DeploymentSetting.PasswordAlgorithm} limit 1
             """,
            row => row.GetString(0), cancellationToken);
        if (recorded != wanted && configuration["Passwords:Algorithm"] is not (null or "" or "auto"))
        {
            Console.WriteLine($"Passwords:Algorithm asks for {wanted}; the recorded choice stays, because hashes of two kinds differ in time.");
        }

        return recorded!;
    }

    private static string WantedAlgorithm(ConfigurationManager configuration) => configuration["Passwords:Algorithm"] switch
    {
        null or "" or "auto" => PasswordHash.CanCompute(PasswordHash.Argon2id) ? PasswordHash.Argon2id : PasswordHash.Pbkdf2,
        "argon2id" => PasswordHash.Argon2id,
        "pbkdf2" => PasswordHash.Pbkdf2,
        var other => throw new InvalidOperationException($"Passwords__Algorithm is '{other}'; it may be auto, argon2id or pbkdf2."),
    };
}
