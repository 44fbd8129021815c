using System.ComponentModel.DataAnnotations;

namespace Ariya.Worker.Cleanup;

/// <summary>How long rows are kept after they have no use any more. What is still of use is never removed, whatever stands here.</summary>
internal sealed class RetentionOptions
{
    public const string Section = "Retention";

    private const string Shortest = "00:00:00";
    private const string Day = "1.00:00:00";
    private const string Longest = "3650.00:00:00";

    /// <summary>Registrations whose mailbox was not proven in seven days, after that.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan Registrations { get; set; } = TimeSpan.Zero;

    /// <summary>Mailed links, after the end of their time: for this long a used one is still answered with what became of it.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan Tokens { get; set; } = TimeSpan.FromDays(7);

    /// <summary>Sessions, after they ended.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan Sessions { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Accounts that their owners deleted, with all that hangs on them; at least as long as their longest session would have lived.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan DeletedAccounts { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Counters of wrong passwords and codes below the one that switches an address off, after the last one.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan SignInFailures { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Answers to requests with an Idempotency-Key: a day is promised.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan IdempotencyKeys { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Mails that the relay took. A day at least: links are judged by the mail they came with.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan SentMail { get; set; } = TimeSpan.FromDays(30);

    /// <summary>Mails that were dropped, superseded or came too late.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan DroppedMail { get; set; } = TimeSpan.FromDays(7);

    /// <summary>The addresses of mails that were dropped or came too late: they may be anybody's whom somebody typed.</summary>
    [Range(typeof(TimeSpan), Shortest, Longest)]
    public TimeSpan DroppedRecipients { get; set; } = TimeSpan.FromDays(1);

    /// <summary>Mails that a person should look at: dead and held ones.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan DeadMail { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Audit events, in whole sealed spans.</summary>
    [Range(typeof(TimeSpan), Day, Longest)]
    public TimeSpan Audit { get; set; } = TimeSpan.FromDays(400);
}
