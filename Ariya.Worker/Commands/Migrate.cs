using Ariya.Data;
using Ariya.Data.Keys;
using Ariya.Data.Passwords;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace Ariya.Worker.Commands;

/// <summary>
/// <c>migrate</c>: brings the schema up to date and makes what a deployment has exactly once: the first signing key and the
/// choice of password algorithm. Safe to run again and from several machines at once.
/// </summary>
internal static class Migrate
{
    private static readonly TimeSpan s_statementTimeout = TimeSpan.FromHours(1);

    public static async Task<int> RunAsync(HostApplicationBuilder builder)
    {
        // On an empty database EF logs its look for the history table as an error. A real failure is thrown.
        builder.Logging.AddFilter("Microsoft.EntityFrameworkCore.Database.Command", LogLevel.None);
        builder.Logging.AddFilter("Microsoft.Hosting.Lifetime", LogLevel.Warning);
        using var host = builder.Build();
        await host.StartAsync();
        try
        {
            await using var scope = host.Services.CreateAsyncScope();
            var db = scope.ServiceProvider.GetRequiredService<AriyaDbContext>();
            var cancellationToken = scope.ServiceProvider.GetRequiredService<IHostApplicationLifetime>().ApplicationStopping;
            await MigrateAsync(db, cancellationToken);
            var keys = await SigningKeyTable.MaintainAsync(db, scope.ServiceProvider.GetRequiredService<SecretKeys>(), cancellationToken);
            Console.WriteLine($"Signing keys: {keys.Made} made, {keys.Retired} retired, {keys.Resealed} sealed anew, {keys.Unreadable} that JWT_SECRET does not open.");
            Console.WriteLine($"Passwords are hashed with {await EnsurePasswordAlgorithmAsync(db, builder.Configuration, cancellationToken)}.");
            return 0;
        }
        catch (Exception exception) when (exception is NpgsqlException or InvalidOperationException or PlatformNotSupportedException or TimeoutException)
        {
            Console.Error.WriteLine($"migrate failed: {(exception.InnerException ?? exception).Message}");
            return 1;
        }
        finally
        {
            await host.StopAsync();
        }
    }

    private static async Task MigrateAsync(AriyaDbContext db, CancellationToken cancellationToken)
    {
        // Kept open so that the session's settings and lock hold for the whole run: an index on a large table takes longer than
        // a request may, and of two machines that migrate at once the second waits and finds nothing left to do.
        await db.Database.OpenConnectionAsync(cancellationToken);
        db.Database.SetCommandTimeout(s_statementTimeout);
        await db.Database.ExecuteSqlAsync(
            $"set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0", cancellationToken);
        await db.Database.ExecuteSqlAsync($"select pg_advisory_lock(hashtext('ariya.migrate'))", cancellationToken);
        var pending = (await db.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        foreach (var migration in pending)
        {
            Console.WriteLine($"Applying {migration}");
        }

        await db.Database.MigrateAsync(cancellationToken);
        Console.WriteLine(pending.Count == 0 ? "The schema is up to date." : $"Applied {pending.Count} migration(s).");
    }

    // The first migrate decides; a later one never changes it, because hashes of both kinds differ in time.
    private static async Task<string> EnsurePasswordAlgorithmAsync(
        AriyaDbContext db, ConfigurationManager configuration, CancellationToken cancellationToken)
    {
        var wanted = configuration["Passwords:Algorithm"] switch
        {
            null or "" or "auto" => PasswordHash.CanCompute(PasswordHash.Argon2id) ? PasswordHash.Argon2id : PasswordHash.Pbkdf2,
            "argon2id" => PasswordHash.Argon2id,
            "pbkdf2" => PasswordHash.Pbkdf2,
            var other => throw new InvalidOperationException($"Passwords:Algorithm is '{other}'; it may be auto, argon2id or pbkdf2."),
        };
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
}
