using System.Text.Json;
using Ariya.Data.Outbox;
using Ariya.Worker.Mail.NewSignIn;
using Ariya.Worker.Mail.OldSignInUsed;
using Ariya.Worker.Mail.PasswordChanged;
using Ariya.Worker.Mail.PasswordReset;
using Ariya.Worker.Mail.Registration;
using Ariya.Worker.Mail.Welcome;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>A leased row with its rendered mail, or with the state it goes to because there is nothing to send.</summary>
internal sealed record PreparedMail(LeasedMessage Message, OutgoingMail? Mail, string EndState, string? Reason, TimeSpan RetryIn)
{
    private static readonly TimeSpan s_unknownKindPause = TimeSpan.FromMinutes(5);

    public static PreparedMail Send(LeasedMessage message, OutgoingMail mail) => new(message, mail, OutboxStates.Sent, null, TimeSpan.Zero);

    public static PreparedMail Drop(LeasedMessage message, string reason) => new(message, null, OutboxStates.Dropped, reason, TimeSpan.Zero);

    public static PreparedMail Supersede(LeasedMessage message, string reason) => new(message, null, OutboxStates.Superseded, reason, TimeSpan.Zero);

    /// <summary>A newer version wrote it: a worker of that version will come by.</summary>
    public static PreparedMail LeaveToNewer(LeasedMessage message) =>
        new(message, null, OutboxStates.Retry, "this version knows no such kind of mail", s_unknownKindPause);

    /// <summary>A row that cannot be read or rendered ends instead of coming back for ever and holding up its batch.</summary>
    public static PreparedMail Fail(LeasedMessage message, Exception exception) =>
        new(message, null, OutboxStates.Dead, $"it cannot be prepared: {exception.GetType().Name}", TimeSpan.Zero);
}

/// <summary>
/// Looks up and mints for a whole batch before its first SMTP byte, kind by kind, so that a link is in the database before anybody
/// can press it.
/// </summary>
internal sealed class MailPreparation(
    RegistrationMail registration, WelcomeMail welcome, PasswordResetMail passwordReset, PasswordChangedMail passwordChanged,
    NewSignInMail newSignIn, OldSignInUsedMail oldSignInUsed)
{
    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var prepared = new List<PreparedMail>(messages.Count);
        foreach (var group in messages.GroupBy(message => message.Kind))
        {
            IReadOnlyList<LeasedMessage> ofKind = [.. group];
            try
            {
                prepared.AddRange(await PrepareKindAsync(group.Key, ofKind, cancellationToken));
            }
            catch (Exception exception) when (ofKind.Count > 1 && IsFaultOfARow(exception))
            {
                foreach (var message in ofKind)
                {
                    prepared.Add(await PrepareOneAsync(message, cancellationToken));
                }
            }
            catch (Exception exception) when (IsFaultOfARow(exception))
            {
                prepared.Add(PreparedMail.Fail(ofKind[0], exception));
            }
        }

        return prepared;
    }

    private async Task<PreparedMail> PrepareOneAsync(LeasedMessage message, CancellationToken cancellationToken)
    {
        try
        {
            return (await PrepareKindAsync(message.Kind, [message], cancellationToken)).Single();
        }
        catch (Exception exception) when (IsFaultOfARow(exception))
        {
            return PreparedMail.Fail(message, exception);
        }
    }

    private async Task<IReadOnlyList<PreparedMail>> PrepareKindAsync(
        string kind, IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken) => kind switch
        {
            MailKinds.Registration => await registration.PrepareAsync(messages, cancellationToken),
            MailKinds.VerificationAgain => await registration.PrepareAgainAsync(messages, cancellationToken),
            MailKinds.Welcome => await welcome.PrepareAsync(messages, cancellationToken),
            MailKinds.PasswordReset => await passwordReset.PrepareAsync(messages, cancellationToken),
            MailKinds.PasswordChanged => await passwordChanged.PrepareAsync(messages, cancellationToken),
            MailKinds.NewSignIn => await newSignIn.PrepareAsync(messages, cancellationToken),
            MailKinds.OldSignInUsed => await oldSignInUsed.PrepareAsync(messages, cancellationToken),
            _ => [.. messages.Select(PreparedMail.LeaveToNewer)],
        };

    // The database being away is everybody's trouble and goes up; a payload without its members is one row's.
    private static bool IsFaultOfARow(Exception exception) =>
        exception is JsonException or KeyNotFoundException or FormatException or InvalidOperationException { InnerException: null } or ArgumentException;
}
