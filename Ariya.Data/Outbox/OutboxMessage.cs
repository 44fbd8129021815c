using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;

namespace Ariya.Data.Outbox;

/// <summary>
/// A mail to be sent, written in the transaction that causes it. It names a kind and a recipient and carries no token:
/// the worker derives tokens when it sends.
/// </summary>
public sealed class OutboxMessage
{
    public required Guid Id { get; init; }

    /// <summary>One of <see cref="MailKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>What the kind needs to know, as JSON; never a secret.</summary>
    public string Payload { get; init; } = "{}";

    /// <summary>The canonical address asked for. Mail goes to the address stored with the subject, not to this one.</summary>
    public string? Recipient { get; set; }

    public string State { get; set; } = OutboxStates.Pending;
    public int Attempts { get; set; }

    /// <summary>When the row may be taken; for a leased row the end of its lease.</summary>
    public DateTimeOffset DueAt { get; set; }

    public Guid? LeaseOwner { get; set; }

    /// <summary>After this the mail is of no use any more.</summary>
    public DateTimeOffset DeliverBefore { get; init; }

    /// <summary>W3C trace context of the request that wrote the row.</summary>
    public string? Traceparent { get; init; }

    /// <summary>16 random bytes, an input of the token's derivation, shown nowhere.</summary>
    public required byte[] Salt { get; init; }

    /// <summary>Left part of the Message-ID: the same on every copy, and not the row's id.</summary>
    public required Guid MailId { get; init; }

    public DateTimeOffset CreatedAt { get; init; }
    public DateTimeOffset? SettledAt { get; set; }

    /// <summary>Why the row ended as it did: an SMTP reply or a fixed word.</summary>
    public string? Reason { get; set; }
}

/// <summary>The states of an outbox row.</summary>
public static class OutboxStates
{
    public const string Pending = "pending";
    public const string Leased = "leased";
    public const string Retry = "retry";
    public const string Sent = "sent";

    /// <summary>The relay refused it for good, or tries are used up.</summary>
    public const string Dead = "dead";

    /// <summary>There is nobody to send it to.</summary>
    public const string Dropped = "dropped";

    /// <summary>A newer mail took its place.</summary>
    public const string Superseded = "superseded";

    /// <summary>Too late to be of use.</summary>
    public const string Expired = "expired";

    /// <summary>Kept back after a restore until somebody decides.</summary>
    public const string Held = "held";
}

/// <summary>Kinds of mail; a name is stored in rows, so it is never renamed.</summary>
public static class MailKinds
{
    /// <summary>
    /// Somebody registered an address: the mailbox's owner gets a link, or a notice when the address is taken. Payload: registrationId.
    /// </summary>
    public const string Registration = "mail.registration.v1";

    /// <summary>Somebody asked for the link again. Payload empty; the newest live registration of the recipient is meant.</summary>
    public const string VerificationAgain = "mail.verification-again.v1";

    /// <summary>The mailbox is proven and the account exists. Payload: accountId.</summary>
    public const string Welcome = "mail.welcome.v1";

    /// <summary>Somebody asked for a new password. Payload empty; the recipient's account is meant, if there is one.</summary>
    public const string PasswordReset = "mail.password-reset.v1";

    /// <summary>The password was reset or changed. Payload: accountId, how (reset or change), network, userAgent.</summary>
    public const string PasswordChanged = "mail.password-changed.v1";

    /// <summary>A sign-in from a browser or network not seen before. Payload: accountId, sessionId.</summary>
    public const string NewSignIn = "mail.new-sign-in.v1";

    /// <summary>A refresh token that had been exchanged came back. Payload: accountId, sessionId.</summary>
    public const string OldSignInUsed = "mail.old-sign-in-used.v1";

    /// <summary>Somebody wants the recipient's address for their account: its link confirms. Payload: changeId.</summary>
    public const string EmailChange = "mail.email-change.v1";

    /// <summary>The account left the recipient's address: its link undoes that. Payload: changeId.</summary>
    public const string EmailChanged = "mail.email-changed.v1";

    /// <summary>The account was deleted by its owner. Payload: accountId, network, userAgent; changeId where the address before that change is told.</summary>
    public const string AccountDeleted = "mail.account-deleted.v1";

    /// <summary>An operator disabled the account. Payload: accountId, reason.</summary>
    public const string AccountDisabled = "mail.account-disabled.v1";

    /// <summary>An account became an admin: its owner and every admin are told. Payload: accountId (whom the mail goes to), adminId.</summary>
    public const string AdminGranted = "mail.admin-granted.v1";
}

/// <summary>One try to hand a mail to the relay.</summary>
public sealed class OutboxAttempt
{
    public required Guid Id { get; init; }
    public required Guid MessageId { get; init; }
    public required int Attempt { get; init; }

    /// <summary>How far the SMTP dialogue came: connect, mail, rcpt, data, after-dot.</summary>
    public required string Stage { get; init; }

    /// <summary>The relay's reply, or the kind of failure.</summary>
    public required string Reply { get; init; }

    public required int DurationMs { get; init; }
    public DateTimeOffset At { get; init; }
}

internal sealed class OutboxMessageConfiguration : IEntityTypeConfiguration<OutboxMessage>
{
    public void Configure(EntityTypeBuilder<OutboxMessage> builder)
    {
        builder.Property(message => message.Payload).HasColumnType("jsonb").HasDefaultValueSql("'{}'");
        builder.Property(message => message.State).HasDefaultValue(OutboxStates.Pending);
        builder.Property(message => message.Attempts).HasDefaultValue(0);
        builder.Property(message => message.DueAt).HasDefaultValueSql("clock_timestamp()");
        builder.Property(message => message.CreatedAt).HasDefaultValueSql("clock_timestamp()");
        // Only what can be taken is in the index: settled rows never slow a claim down.
        builder.HasIndex(message => message.DueAt).HasFilter("state in ('pending', 'retry', 'leased')");
        builder.HasIndex(message => new { message.Recipient, message.CreatedAt });
        builder.HasIndex(message => message.SettledAt);
        // Those that a person should look at, among millions that need nobody.
        builder.HasIndex(message => message.Id, "IX_outbox_messages_stranded").HasFilter("state in ('dead', 'expired', 'held')");
        builder.ToTable(table => table.HasCheckConstraint("ck_outbox_messages_state",
            "state in ('pending', 'leased', 'retry', 'sent', 'dead', 'dropped', 'superseded', 'expired', 'held')"));
    }
}

internal sealed class OutboxAttemptConfiguration : IEntityTypeConfiguration<OutboxAttempt>
{
    public void Configure(EntityTypeBuilder<OutboxAttempt> builder)
    {
        builder.HasOne<OutboxMessage>().WithMany().HasForeignKey(attempt => attempt.MessageId).OnDelete(DeleteBehavior.Cascade);
        builder.HasIndex(attempt => attempt.MessageId);
        builder.Property(attempt => attempt.At).HasDefaultValueSql("clock_timestamp()");
    }
}
