using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Audit;

/// <summary>
/// One security-relevant step, written in the transaction of that step. Holds no secret and no address: an account id,
/// or the HMAC of an address that has no account.
/// </summary>
public sealed class AuditEvent
{
    public required Guid Id { get; init; }
    public DateTimeOffset At { get; init; }

    /// <summary>One of <see cref="AuditKinds"/>.</summary>
    public required string Kind { get; init; }

    public Guid? AccountId { get; init; }
    public Guid? SessionId { get; init; }
    public byte[]? AddressKey { get; init; }
    public string? Network { get; init; }
    public string? UserAgent { get; init; }

    /// <summary>Short and fixed: a reason or a count, never what a caller typed.</summary>
    public string? Detail { get; init; }
}

/// <summary>The kinds of audit events; once released never renamed.</summary>
public static class AuditKinds
{
    public const string RegistrationRequested = "registration.requested";
    public const string EmailVerified = "email.verified";
    public const string VerificationRequested = "email.verification_requested";
    public const string CodeTried = "email.code_tried";
    public const string RegistrationRejected = "registration.rejected";
    public const string SignedIn = "session.signed_in";
    public const string SignInFailed = "session.sign_in_failed";
    public const string RefreshRepeated = "session.refresh_repeated";
    public const string RefreshReused = "session.refresh_reused";
    public const string RolledBack = "session.rolled_back";
    public const string SignedOut = "session.signed_out";
    public const string SessionEnded = "session.ended";
    public const string OtherSessionsEnded = "session.others_ended";
    public const string ResetRequested = "password.reset_requested";
    public const string PasswordReset = "password.reset";
    public const string PasswordChanged = "password.changed";
    public const string PasswordRehashed = "password.rehashed";
    public const string EmailChangeRequested = "account.email_change_requested";
    public const string EmailChanged = "account.email_changed";
    public const string EmailChangeUndone = "account.email_change_undone";
    public const string AccountDeleted = "account.deleted";
    public const string ProfileChanged = "account.profile_changed";
    public const string AvatarChanged = "account.avatar_changed";
    public const string AvatarRemoved = "account.avatar_removed";
    public const string AdminGranted = "admin.granted";
    public const string AdminRevoked = "admin.revoked";
    public const string AccountsSearched = "admin.accounts_searched";
    public const string AccountRead = "admin.account_read";
    public const string ObstaclesRead = "admin.obstacles_read";
    public const string AccountDisabled = "admin.account_disabled";
    public const string AccountEnabled = "admin.account_enabled";
    public const string AccountSessionsEnded = "admin.sessions_ended";
    public const string MailSearched = "admin.mail_searched";
    public const string MailRead = "admin.mail_read";
    public const string MailRequeued = "admin.mail_requeued";
    public const string MailCancelled = "admin.mail_cancelled";
    public const string AuditRead = "admin.audit_read";
    public const string CleanupRequested = "admin.cleanup_requested";
    public const string Restored = "deployment.restored";
    public const string KeysRotated = "deployment.keys_rotated";
}

internal sealed class AuditEventConfiguration : IEntityTypeConfiguration<AuditEvent>
{
    public void Configure(EntityTypeBuilder<AuditEvent> builder)
    {
        builder.Property(audit => audit.At).HasDefaultValueSql("clock_timestamp()");
        builder.HasIndex(audit => new { audit.AccountId, audit.At });
        builder.HasIndex(audit => new { audit.Kind, audit.At, audit.Id });
        // The order in which the chain of seals goes over them.
        builder.HasIndex(audit => new { audit.At, audit.Id });
    }
}
