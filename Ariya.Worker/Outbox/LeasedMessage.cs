using System.Text.Json;

namespace Ariya.Worker.Outbox;

/// <summary>A row this worker may send until its lease ends.</summary>
internal sealed record LeasedMessage
{
    public required Guid Id { get; init; }

    /// <summary>Names the claim: whoever settles or renews shows it.</summary>
    public required Guid Owner { get; set; }

    public required string Kind { get; init; }
    public required string Payload { get; init; }
    public required string? Recipient { get; init; }

    /// <summary>Tries that judged this mail so far.</summary>
    public required int Attempts { get; init; }

    public required string? Traceparent { get; init; }
    public required byte[] Salt { get; init; }
    public required Guid MailId { get; init; }
    public required DateTimeOffset CreatedAt { get; init; }

    /// <summary>The secret its token was derived with, when it was minted before.</summary>
    public required string? KeyId { get; init; }

    /// <summary>The account or registration that a row without payload means, if there is one.</summary>
    public required Guid? SubjectId { get; init; }

    /// <summary>Whether it is too late to be of use.</summary>
    public required bool IsLate { get; init; }

    /// <summary>
    /// Until when, by this process's own clock, nobody else can have taken the row: earlier than the database thinks. A process
    /// that slept past it must not begin to send.
    /// </summary>
    public required long GoodUntil { get; set; }

    /// <summary>Found out when renewing: the lease ended, and somebody else may have the row.</summary>
    public bool IsLost { get; set; }

    /// <summary>The part of the address that a slow receiver is known by.</summary>
    public string Domain => Recipient is { } address ? address[(address.LastIndexOf('@') + 1)..] : "";

    /// <summary>A member of the payload; it was written with the row and is always there.</summary>
    public Guid PayloadId(string name) => Guid.Parse(PayloadText(name));

    /// <summary>A member that some rows of the kind do not have.</summary>
    public Guid? PayloadIdOrNull(string name)
    {
        using var payload = JsonDocument.Parse(Payload);
        return payload.RootElement.TryGetProperty(name, out var id) ? id.GetGuid() : null;
    }

    public string PayloadText(string name)
    {
        using var payload = JsonDocument.Parse(Payload);
        return payload.RootElement.GetProperty(name).GetString()!;
    }
}
