using Ariya.Api.Problems;
using Ariya.ServiceDefaults.Logging;

namespace Ariya.Api.Auth;

/// <summary>
/// Lines of the category <c>Ariya.Auth</c>, for operators: the facts stand in the audit. An account is its id, and an address that has none is
/// nothing at all. docs/logs.md lists them.
/// </summary>
internal sealed partial class AuthEvents(ILoggerFactory loggers, EventRate rate)
{
    public const string Category = "Ariya.Auth";

    private readonly ILogger _logger = loggers.CreateLogger(Category);

    public void SignedIn(Guid accountId, Guid sessionId, string network)
    {
        if (rate.Admits("auth.signed_in", out var withheld))
        {
            Log.SignedIn(_logger, accountId, sessionId, network, withheld);
        }
    }

    /// <param name="accountId">Of the address that was tried, if it has one.</param>
    /// <param name="refusal">The answer; its code is logged.</param>
    /// <param name="network">Who tried.</param>
    public void SignInRefused(Guid? accountId, IResult refusal, string network)
    {
        if (rate.Admits("auth.sign_in_refused", out var withheld))
        {
            Log.SignInRefused(_logger, accountId, Problem.CodeOf(refusal), network, withheld);
        }
    }

    public void RegistrationRequested(string network)
    {
        if (rate.Admits("auth.registration_requested", out var withheld))
        {
            Log.RegistrationRequested(_logger, network, withheld);
        }
    }

    public void EmailVerified(Guid accountId, string network)
    {
        if (rate.Admits("auth.email_verified", out var withheld))
        {
            Log.EmailVerified(_logger, accountId, network, withheld);
        }
    }

    public void PasswordReset(Guid accountId, string network)
    {
        if (rate.Admits("auth.password_reset", out var withheld))
        {
            Log.PasswordReset(_logger, accountId, network, withheld);
        }
    }

    public void PasswordChanged(Guid accountId, Guid sessionId, string network)
    {
        if (rate.Admits("auth.password_changed", out var withheld))
        {
            Log.PasswordChanged(_logger, accountId, sessionId, network, withheld);
        }
    }

    public void SignedOut(Guid accountId, Guid sessionId, string network)
    {
        if (rate.Admits("auth.signed_out", out var withheld))
        {
            Log.SignedOut(_logger, accountId, sessionId, network, withheld);
        }
    }

    public void EmailChanged(Guid accountId, string network)
    {
        if (rate.Admits("auth.email_changed", out var withheld))
        {
            Log.EmailChanged(_logger, accountId, network, withheld);
        }
    }

    public void EmailChangeUndone(Guid accountId, string network)
    {
        if (rate.Admits("auth.email_change_undone", out var withheld))
        {
            Log.EmailChangeUndone(_logger, accountId, network, withheld);
        }
    }

    public void AccountDeleted(Guid accountId, Guid sessionId, string network)
    {
        if (rate.Admits("auth.account_deleted", out var withheld))
        {
            Log.AccountDeleted(_logger, accountId, sessionId, network, withheld);
        }
    }

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Information, "Account {AccountId} signed in from {Network}, session {SessionId} ({Withheld} lines withheld)")]
        public static partial void SignedIn(ILogger logger, Guid accountId, Guid sessionId, string network, long withheld);

        [LoggerMessage(2, LogLevel.Information, "A sign-in from {Network} was refused: {Code}, account {AccountId} ({Withheld} lines withheld)")]
        public static partial void SignInRefused(ILogger logger, Guid? accountId, string code, string network, long withheld);

        [LoggerMessage(3, LogLevel.Information, "An account was asked for from {Network} ({Withheld} lines withheld)")]
        public static partial void RegistrationRequested(ILogger logger, string network, long withheld);

        [LoggerMessage(4, LogLevel.Information, "Account {AccountId} was made: its mailbox was proven from {Network} ({Withheld} lines withheld)")]
        public static partial void EmailVerified(ILogger logger, Guid accountId, string network, long withheld);

        [LoggerMessage(5, LogLevel.Information, "The password of account {AccountId} was reset from {Network} ({Withheld} lines withheld)")]
        public static partial void PasswordReset(ILogger logger, Guid accountId, string network, long withheld);

        [LoggerMessage(6, LogLevel.Information, "The password of account {AccountId} was changed from {Network}, session {SessionId} ({Withheld} lines withheld)")]
        public static partial void PasswordChanged(ILogger logger, Guid accountId, Guid sessionId, string network, long withheld);

        [LoggerMessage(7, LogLevel.Information, "Account {AccountId} signed out from {Network}, session {SessionId} ({Withheld} lines withheld)")]
        public static partial void SignedOut(ILogger logger, Guid accountId, Guid sessionId, string network, long withheld);

        [LoggerMessage(8, LogLevel.Information, "The address of account {AccountId} was changed, confirmed from {Network} ({Withheld} lines withheld)")]
        public static partial void EmailChanged(ILogger logger, Guid accountId, string network, long withheld);

        [LoggerMessage(9, LogLevel.Warning, "The change of address of account {AccountId} was undone from {Network} ({Withheld} lines withheld)")]
        public static partial void EmailChangeUndone(ILogger logger, Guid accountId, string network, long withheld);

        [LoggerMessage(10, LogLevel.Information, "Account {AccountId} was deleted from {Network}, session {SessionId} ({Withheld} lines withheld)")]
        public static partial void AccountDeleted(ILogger logger, Guid accountId, Guid sessionId, string network, long withheld);
    }
}
