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
internal sealed record DeliveryReport(DeliveryOutcome Outcome, SmtpStage Stage, string Reply, TimeSpan Duration)
{
    /// <summary>The first digit of the reply's code (RFC 5321 section 4.2.1), or <c>none</c>: a value for metrics.</summary>
    public string ReplyClass => HasCode ? $"{Reply[0]}yz" : "none";

    /// <summary>The reply's code, if the relay gave one.</summary>
    public string? ReplyCode => HasCode ? Reply[..3] : null;

    private bool HasCode => Reply.Length >= 3 && Reply[0] is >= '2' and <= '5' && char.IsAsciiDigit(Reply[1]) && char.IsAsciiDigit(Reply[2]);
}

/// <summary>Hands mails to a relay over one connection that is kept. Not for use from two threads at once.</summary>
internal interface IMailTransport : IAsyncDisposable
{
    /// <summary>Connects, unless connected, until the relay has greeted and is ready for a mail; a quiet connection is asked first.</summary>
    /// <returns>Accepted, or RelayFailed with the reason.</returns>
    Task<DeliveryReport> OpenAsync(CancellationToken cancellationToken);

    /// <summary>
    /// Sends one mail, connecting first if need be. Answers a report for every failure of relay or network. When cancelled it throws, unless
    /// the relay may have the mail by then: that is <see cref="DeliveryOutcome.Unknown"/>.
    /// </summary>
    Task<DeliveryReport> SendAsync(OutgoingMail mail, CancellationToken cancellationToken);

    /// <summary>Ends the connection politely, if there is one; the next mail opens another.</summary>
    Task CloseAsync();
}
