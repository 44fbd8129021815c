using System.Text;
using Ariya.Data.Accounts;
using Ariya.Data.Audit;
using Ariya.Data.Idempotency;
using Ariya.Data.Keys;
using Ariya.Data.Outbox;
using Ariya.Data.Registrations;
using Ariya.Data.Schedules;
using Ariya.Data.Sessions;
using Ariya.Data.Tokens;
using Microsoft.EntityFrameworkCore;

namespace Ariya.Data;

/// <summary>
/// The schema, for migrations and nothing else: EF Core takes as long to get ready as everything else of a start. What programs ask of the database is
/// SQL, beside the endpoint or loop that asks (<see cref="Sql"/>).
/// </summary>
public sealed class AriyaDbContext(DbContextOptions<AriyaDbContext> options) : DbContext(options)
{
    public DbSet<Registration> Registrations => Set<Registration>();
    public DbSet<Account> Accounts => Set<Account>();
    public DbSet<EmailChange> EmailChanges => Set<EmailChange>();
    public DbSet<Vendor> Vendors => Set<Vendor>();
    public DbSet<Avatar> Avatars => Set<Avatar>();
    public DbSet<SignInFailure> SignInFailures => Set<SignInFailure>();
    public DbSet<Session> Sessions => Set<Session>();
    public DbSet<OneTimeToken> OneTimeTokens => Set<OneTimeToken>();
    public DbSet<OutboxMessage> OutboxMessages => Set<OutboxMessage>();
    public DbSet<OutboxAttempt> OutboxAttempts => Set<OutboxAttempt>();
    public DbSet<IdempotencyKey> IdempotencyKeys => Set<IdempotencyKey>();
    public DbSet<WorkerHeartbeat> WorkerHeartbeats => Set<WorkerHeartbeat>();
    public DbSet<AuditEvent> AuditEvents => Set<AuditEvent>();
    public DbSet<AuditSeal> AuditSeals => Set<AuditSeal>();
    public DbSet<ScheduledRun> ScheduledRuns => Set<ScheduledRun>();
    public DbSet<SigningKey> SigningKeys => Set<SigningKey>();
    public DbSet<DeploymentSetting> DeploymentSettings => Set<DeploymentSetting>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.ApplyConfigurationsFromAssembly(typeof(AriyaDbContext).Assembly);
        foreach (var entity in modelBuilder.Model.GetEntityTypes())
        {
            entity.SetTableName(SnakeCase(entity.GetTableName()!));
            foreach (var property in entity.GetProperties())
            {
                property.SetColumnName(SnakeCase(property.Name));
            }

            foreach (var key in entity.GetKeys())
            {
                key.SetName(SnakeCase(key.GetName()!));
            }

            foreach (var foreignKey in entity.GetForeignKeys())
            {
                foreignKey.SetConstraintName(SnakeCase(foreignKey.GetConstraintName()!));
            }

            foreach (var index in entity.GetIndexes())
            {
                index.SetDatabaseName(SnakeCase(index.GetDatabaseName()!));
            }
        }
    }

    private static string SnakeCase(string name)
    {
        var snake = new StringBuilder(name.Length + 8);
        foreach (var (index, letter) in name.Index())
        {
            if (char.IsUpper(letter) && index > 0 && name[index - 1] != '_' && !char.IsUpper(name[index - 1]))
            {
                snake.Append('_');
            }

            snake.Append(char.ToLowerInvariant(letter));
        }

        return snake.ToString();
    }
}
