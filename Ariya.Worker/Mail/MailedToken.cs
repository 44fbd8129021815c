using Ariya.Data.Tokens;
using Ariya.Worker.Outbox;

namespace Ariya.Worker.Mail;

/// <summary>The token of one mail's link: the same on every try while its secret is configured.</summary>
internal sealed record MailedToken(Guid SubjectId, string KeyId, string Token, byte[] Hash)
{
    /// <exception cref="ArgumentException">The row has no recipient, which is an input of the derivation.</exception>
    public static MailedToken Derive(OneTimeTokenKeys keys, string purpose, LeasedMessage message, Guid subjectId)
    {
        ArgumentNullException.ThrowIfNull(message.Recipient);
        var keyId = keys.KeyIdFor(message.KeyId);
        var token = keys.Link(keyId, purpose, message.Salt, message.Id, subjectId, message.Recipient)!;
        return new MailedToken(subjectId, keyId, token, OneTimeTokenKeys.Hash(token)!);
    }
}
