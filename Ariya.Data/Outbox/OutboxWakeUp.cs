namespace Ariya.Data.Outbox;

/// <summary>
/// How the API tells the workers that a mail was committed. Never sent inside a transaction of a user: PostgreSQL lets one commit with a
/// NOTIFY happen at a time.
/// </summary>
public static class OutboxWakeUp
{
    public const string Channel = "ariya_outbox";
    public const string Listen = $"listen {Channel}";
}
