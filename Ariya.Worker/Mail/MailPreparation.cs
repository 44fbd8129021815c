using Ariya.Data.Outbox;
using Ariya.Worker.Mail.Registration;
using Ariya.Worker.Mail.Welcome;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>A leased row with its rendered mail, or with the reason why there is nobody to send it to.</summary>
internal sealed record PreparedMail(LeasedMessage Message, OutgoingMail? Mail, string? DropReason)
{
    public static PreparedMail Send(LeasedMessage message, OutgoingMail mail) => new(message, mail, null);

    public static PreparedMail Drop(LeasedMessage message, string reason) => new(message, null, reason);
}

/// <summary>
/// Looks up and mints for a whole batch before its first SMTP byte: one statement a kind, so that a link is in the database
/// before anybody can press it.
/// </summary>
internal sealed class MailPreparation(RegistrationMail registration, WelcomeMail welcome)
{
    public async Task<IReadOnlyList<PreparedMail>> PrepareAsync(IReadOnlyList<LeasedMessage> messages, CancellationToken cancellationToken)
    {
        var prepared = new List<PreparedMail>(messages.Count);
        foreach (var group in messages.GroupBy(message => message.Kind))
        {
            IReadOnlyList<LeasedMessage> ofKind = [.. group];
            prepared.AddRange(group.Key switch
            {
                MailKinds.Registration => await registration.PrepareAsync(ofKind, cancellationToken),
                MailKinds.Welcome => await welcome.PrepareAsync(ofKind, cancellationToken),
                _ => ofKind.Select(message => PreparedMail.Drop(message, "this version knows no such kind of mail")),
            });
        }

        return prepared;
    }
}
