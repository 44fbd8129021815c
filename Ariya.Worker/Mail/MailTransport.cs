namespace Ariya.Worker.Mail;

/// <summary>One mail to one person, rendered.</summary>
/// <param name="MailId">Left part of the Message-ID: the same on every copy.</param>
/// <param name="To">The address stored with the account or registration.</param>
/// <param name="ToName">The person's name, for the To header.</param>
/// <param name="Subject">One line.</param>
/// <param name="Html">The HTML part.</param>
/// <param name="Text">The text part.</param>
internal sealed record OutgoingMail(Guid MailId, string To, string ToName, string Subject, string Html, string Text);

internal enum DeliveryOutcome
{
    /// <summary>2yz: the relay has it.</summary>
    Accepted,

    /// <summary>5yz to this mail: another try would end the same.</summary>
    Refused,

    /// <summary>4yz to this mail.</summary>
    Deferred,

    /// <summary>The relay did not come to judge this mail: no connection, 421, TLS, sign-in refused.</summary>
    RelayFailed,

    /// <summary>The mail was handed over and no answer came: the relay may have it.</summary>
    Unknown,
}

/// <summary>How far the SMTP dialogue came.</summary>
internal enum SmtpStage
{
    Connect,
    Mail,
    Rcpt,
    Data,
    AfterDot,
}

/// <param name="Outcome">What it means for the mail.</param>
/// <param name="Stage">Where it was decided.</param>
/// <param name="Reply">The relay's reply with its code, or the kind of failure.</param>
/// <param name="Duration">From the first command of this mail.</param>
internal sealed record DeliveryReport(DeliveryOutcome Outcome, SmtpStage Stage, string Reply, TimeSpan Duration);

/// <summary>Hands mails to a relay over a connection that is kept. Not for use from two threads at once.</summary>
internal interface IMailTransport : IAsyncDisposable
{
    /// <summary>Connects, unless connected, until the relay has greeted and is ready for a mail.</summary>
    /// <returns>Accepted, or RelayFailed with the reason.</returns>
    Task<DeliveryReport> OpenAsync(CancellationToken cancellationToken);

    /// <summary>Sends one mail, connecting first if need be. Answers a report for every failure of relay or network.</summary>
    Task<DeliveryReport> SendAsync(OutgoingMail mail, CancellationToken cancellationToken);
}
