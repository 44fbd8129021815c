namespace Ariya.Worker.Mail.Smtp;

/// <summary>A reply with all its lines: <c>250-first</c>, <c>250 last</c>.</summary>
internal sealed record SmtpReply(int Code, IReadOnlyList<string> Lines)
{
    public bool IsPositive => Code is >= 200 and < 300;

    public override string ToString() => $"{Code} {string.Join(' ', Lines)}";
}
