namespace Ariya.Worker.Mail.Smtp;

/// <summary>A reply with all its lines: <c>250-first</c>, <c>250 last</c>.</summary>
internal sealed record SmtpReply(int Code, IReadOnlyList<string> Lines)
{
    private const int MaxLength = 500;

    public bool IsPositive => Code is >= 200 and < 300;

    /// <summary>In one line, and no longer than anybody reads: it is kept with every try.</summary>
    public override string ToString()
    {
        var text = $"{Code} {string.Join(' ', Lines)}";
        return text.Length <= MaxLength ? text : text[..MaxLength];
    }
}
