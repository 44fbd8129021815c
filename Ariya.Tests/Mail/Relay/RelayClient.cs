using Ariya.Worker.Mail;
using Ariya.Worker.Mail.MailKit;
using Ariya.Worker.Mail.Smtp;

namespace Ariya.Tests.Mail.Relay;

/// <summary>Makes both ways to talk SMTP, for tests that hold for either.</summary>
internal static class RelayClient
{
    private static readonly TimeSpan s_patience = TimeSpan.FromSeconds(20);

    public static OutgoingMail Mail() =>
        new(Guid.CreateVersion7(), "Grace@example.com", "Grace Hopper", "Welcome", "<p>Welcome</p>", "Welcome");

    public static IMailTransport Create(bool isMailKit, SmtpSettings settings, TimeProvider? clock = null) => isMailKit
        ? new MailKitTransport(settings, clock ?? TimeProvider.System)
        : new SmtpTransport(settings, clock ?? TimeProvider.System);

    public static IMailTransport Create(bool isMailKit, ScriptedRelay relay, TimeSpan? commands = null, TimeSpan? acceptance = null) =>
        Create(isMailKit, Settings(relay) with { CommandTimeout = commands ?? s_patience, AcceptanceTimeout = acceptance ?? s_patience });

    public static SmtpSettings Settings(ScriptedRelay relay, SmtpSecurity security = SmtpSecurity.None, string? user = null) =>
        new("localhost", relay.Port, security, user, user is null ? null : "a relay password", "no-reply@example.com", "Ariya");
}
