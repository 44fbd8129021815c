using Ariya.Api.Limits;
using Ariya.Api.Passwords;
using Ariya.ServiceDefaults.Logging;

namespace Ariya.Api.Auth;

/// <summary>Why a bearer token is taken for one that is not ours.</summary>
internal enum Forgery
{
    /// <summary>No token of this kind.</summary>
    Form,

    /// <summary>Signed by nobody, or by a key that is not published.</summary>
    Signature,

    /// <summary>Signed by us, for another audience or by another issuer.</summary>
    Claims,
}

/// <summary>
/// Lines of the category <c>Ariya.Security</c>, for operators. Strangers cause them, so each has so many lines a second and no more.
/// docs/logs.md lists them.
/// </summary>
internal sealed partial class SecurityEvents(ILoggerFactory loggers, EventRate rate)
{
    public const string Category = "Ariya.Security";

    private readonly ILogger _logger = loggers.CreateLogger(Category);

    public void LimitRefused(LimitReceipt receipt, string route, string network)
    {
        if (rate.Admits("security.limit_refused", out var withheld))
        {
            Log.LimitRefused(_logger, route, string.Join(", ", receipt.Full.Select(state => state.Bucket.Policy)), network, withheld);
        }
    }

    /// <summary>A wrong password was counted; says so when the next try has to wait.</summary>
    /// <param name="accountId">Of the address, if it has one.</param>
    /// <param name="failures">Of the address so far.</param>
    /// <param name="network">Who tried.</param>
    public void WrongPassword(Guid? accountId, int failures, string network)
    {
        if (failures >= SignInDelay.FromFailure && rate.Admits("security.sign_in_delay", out var withheld))
        {
            Log.SignInDelayBegan(_logger, failures, accountId, network, withheld);
        }
    }

    public void OldRefreshTokenUsed(Guid accountId, Guid sessionId, string network)
    {
        if (rate.Admits("security.refresh_reused", out var withheld))
        {
            Log.OldRefreshTokenUsed(_logger, sessionId, accountId, network, withheld);
        }
    }

    /// <summary>Each is a session whose token we signed: the operator has to act.</summary>
    public void RolledBack(Guid sessionId)
    {
        if (rate.Admits("security.rolled_back", out var withheld))
        {
            Log.RolledBack(_logger, sessionId, withheld);
        }
    }

    public void ForgedBearer(Forgery why, string network)
    {
        if (rate.Admits("security.forged_bearer", out var withheld))
        {
            Log.ForgedBearer(_logger, why, network, withheld);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning, "{Route} from {Network} was refused by limits: {Policies} ({Withheld} lines withheld)")]
        public static partial void LimitRefused(ILogger logger, string route, string policies, string network, long withheld);

        [LoggerMessage(2, LogLevel.Warning, "After {Failures} wrong passwords the next sign-in has to wait: account {AccountId}, from {Network} ({Withheld} lines withheld)")]
        public static partial void SignInDelayBegan(ILogger logger, int failures, Guid? accountId, string network, long withheld);

        [LoggerMessage(3, LogLevel.Warning,
            "An old refresh token of session {SessionId} was used from {Network}: the session is over, account {AccountId} is told ({Withheld} lines withheld)")]
        public static partial void OldRefreshTokenUsed(ILogger logger, Guid sessionId, Guid accountId, string network, long withheld);

        [LoggerMessage(4, LogLevel.Critical,
            "Session {SessionId} was refreshed further than this database knows: the database was set back. Run: Ariya.Worker after-restore "
            + "({Withheld} lines withheld)")]
        public static partial void RolledBack(ILogger logger, Guid sessionId, long withheld);

        [LoggerMessage(5, LogLevel.Warning, "A bearer token from {Network} is not ours: {Why} ({Withheld} lines withheld)")]
        public static partial void ForgedBearer(ILogger logger, Forgery why, string network, long withheld);
    }
}
