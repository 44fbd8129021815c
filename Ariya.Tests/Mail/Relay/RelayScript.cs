using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography.X509Certificates;

namespace Ariya.Tests.Mail.Relay;

/// <summary>A place in the dialogue where the relay has to say something.</summary>
/// <param name="Connection">Number of the connection, from 1.</param>
/// <param name="Verb">
/// <c>CONNECT</c> for the greeting, <c>.</c> after the content, <c>AUTH-USER</c> and <c>AUTH-PASSWORD</c>, else the command's word.
/// </param>
/// <param name="Line">The whole command.</param>
/// <param name="Recipient">Of the mail at hand, if it has one yet.</param>
/// <param name="Mail">Number of the mail on this connection, from 1.</param>
internal sealed record RelayMoment(int Connection, string Verb, string Line, string? Recipient, int Mail);

/// <summary>What the relay does at such a place.</summary>
/// <param name="Text">Lines to send, without the last line break; nothing when null.</param>
internal sealed record RelayReply(string? Text)
{
    /// <summary>Waited for before anything is sent.</summary>
    public Task Gate { get; private init; } = Task.CompletedTask;

    /// <summary>Hang up afterwards.</summary>
    public bool HangsUp { get; private init; }

    /// <summary>Between two bytes.</summary>
    public TimeSpan Pace { get; private init; }

    public static RelayReply HangUp { get; } = new((string?)null) { HangsUp = true };

    /// <summary>Neither an answer nor an end: the other side has to lose patience.</summary>
    public static RelayReply Silence { get; } = new((string?)null) { Gate = new TaskCompletionSource().Task };

    public static RelayReply Last(string text) => new(text) { HangsUp = true };

    public static RelayReply After(Task gate, string text) => new(text) { Gate = gate };

    public static RelayReply Slowly(string text, TimeSpan pace) => new(text) { Pace = pace };

    [return: NotNullIfNotNull(nameof(text))]
    public static implicit operator RelayReply?(string? text) => text is null ? null : new RelayReply(text);
}

/// <summary>How a <see cref="ScriptedRelay"/> behaves; as it is, it takes every mail in clear.</summary>
internal sealed class RelayScript
{
    public static readonly string[] UsualExtensions = ["PIPELINING", "SIZE 20000000", "8BITMIME", "SMTPUTF8"];

    /// <summary>What differs from a relay that takes everything; null for the usual answer.</summary>
    public Func<RelayMoment, RelayReply?> On { get; init; } = _ => null;

    public string[] Extensions { get; init; } = UsualExtensions;

    /// <summary>What EHLO answers once TLS is on.</summary>
    public string[] ExtensionsUnderTls { get; init; } = UsualExtensions;

    /// <summary>TLS from the first byte.</summary>
    public bool IsImplicitTls { get; init; }

    public X509Certificate2? Certificate { get; init; }

    /// <summary>Another answer to one command, on every connection.</summary>
    public static RelayScript At(string verb, RelayReply reply) => new() { On = moment => moment.Verb == verb ? reply : null };
}
