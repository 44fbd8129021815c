using System.Collections.Frozen;
using Ariya.Api.Accounts;
using Ariya.Api.Accounts.Avatars;
using Ariya.Api.Admin;
using Ariya.Api.Auth;
using Ariya.Api.Sessions;

namespace Ariya.Api.OpenApi;

/// <summary>What a handler's signature does not say of its endpoint.</summary>
internal sealed record Operation
{
    /// <summary>The status of success and its body, where the handler's return type does not name them.</summary>
    public (int Status, Type? Body)? Success { get; init; }

    /// <summary>Media types of the body, where it is not JSON.</summary>
    public string[] RequestTypes { get; init; } = [];

    /// <summary>Media types of the answer to a success, where it is not JSON.</summary>
    public string[] SuccessTypes { get; init; } = [];

    /// <summary>Refusals of this endpoint, as status and code. <see cref="OperationDocument"/> adds those that its kind has.</summary>
    public string[] Problems { get; init; } = [];

    /// <summary>Request bodies, by what they show.</summary>
    public (string Name, object Body)[] Examples { get; init; } = [];

    /// <summary>Request headers that mean something, and what.</summary>
    public (string Name, string Meaning)[] RequestHeaders { get; init; } = [];

    /// <summary>Headers of the answer to a success, and what they mean.</summary>
    public (string Name, string Meaning)[] ResponseHeaders { get; init; } = [];
}

/// <summary>
/// The part of the API's document that is written by hand. Paths and names are in Routes.cs, words in the comments of handlers
/// and records.
/// </summary>
internal static class Operations
{
    private const string Email = "ada@example.com";
    private const string Password = "a sentence nobody else types";
    private const string Token = "the value after token= in the mailed link";
    private const string RefreshToken = "the newest refreshToken of this session";
    private static readonly VendorBody s_vendor = new("Analytical Engines", "software");
    private static readonly string[] s_pictures = ["image/png", "image/jpeg", "image/webp"];
    private static readonly (string, string) s_etag = ("ETag", "The version of the account, for If-Match.");

    /// <summary>By endpoint name, in the order of Routes.cs.</summary>
    public static readonly FrozenDictionary<string, Operation> ByEndpoint = new Dictionary<string, Operation>
    {
        [nameof(Register)] = new()
        {
            Success = (202, null),
            Problems = ["400 password_too_weak", "503 busy"],
            Examples =
            [
                ("person", new RegisterRequest(Email, Password, "Ada", "Lovelace", null)),
                ("vendor", new RegisterRequest(Email, Password, "Ada", "Lovelace", s_vendor)),
            ],
        },
        [nameof(VerifyEmail)] = new()
        {
            Success = (200, typeof(VerifyEmailResponse)),
            Problems =
            [
                "400 token_invalid", "400 token_expired", "400 code_invalid", "401 invalid_credentials", "409 password_required",
                "503 busy",
            ],
            Examples =
            [
                ("link", new VerifyEmailRequest(Token, null, null, null)),
                ("code", new VerifyEmailRequest(null, null, Email, "123456")),
                ("link and password", new VerifyEmailRequest(Token, Password, null, null)),
            ],
        },
        [nameof(ResendVerification)] = new()
        {
            Success = (202, null),
            Examples = [("address", new ResendVerificationRequest(Email))],
        },
        [nameof(Login)] = new()
        {
            Success = (200, typeof(TokensResponse)),
            Problems =
            [
                "401 invalid_credentials", "403 email_not_verified", "403 account_disabled", "429 sign_in_delayed", "503 busy",
            ],
            Examples = [("password", new LoginRequest(Email, Password))],
        },
        [nameof(Refresh)] = new()
        {
            Success = (200, typeof(TokensResponse)),
            Problems = ["401 session_ended"],
            Examples = [("token", new RefreshRequest(RefreshToken))],
            RequestHeaders = [("Idempotency-Key",
                "1 to 255 visible ASCII characters, new for every exchange. The same key again within 24 hours gets the same tokens.")],
        },
        [nameof(Logout)] = new()
        {
            Success = (204, null),
            Examples = [("token", new LogoutRequest(RefreshToken))],
        },
        [nameof(ForgotPassword)] = new()
        {
            Success = (202, null),
            Examples = [("address", new ForgotPasswordRequest(Email))],
        },
        [nameof(ResetPassword)] = new()
        {
            Success = (204, null),
            Problems = ["400 token_invalid", "400 token_expired", "400 token_used", "400 password_too_weak", "503 busy"],
            Examples = [("link", new ResetPasswordRequest(Token, Password))],
        },
        [nameof(ConfirmEmailChange)] = new()
        {
            Success = (204, null),
            Problems =
            [
                "400 token_invalid", "400 token_expired", "400 token_used", "401 invalid_credentials", "409 email_taken", "429 sign_in_delayed", "503 busy",
            ],
            Examples = [("link", new ConfirmEmailChangeRequest(Token, Password))],
        },
        [nameof(UndoEmailChange)] = new()
        {
            Success = (204, null),
            Problems = ["400 token_invalid", "400 token_expired", "400 token_used", "400 password_too_weak", "409 email_taken", "503 busy"],
            Examples = [("link", new UndoEmailChangeRequest(Token, Password))],
        },
        [nameof(GetAccount)] = new()
        {
            ResponseHeaders = [s_etag],
        },
        [nameof(UpdateAccount)] = new()
        {
            Success = (200, typeof(AccountBody)),
            Problems = ["412 precondition_failed"],
            Examples =
            [
                ("name and language", new UpdateAccountRequest("Augusta", null, "en-GB", null)),
                ("vendor", new UpdateAccountRequest(null, null, null, s_vendor)),
            ],
            RequestHeaders = [("If-Match", "The ETag that was read; the change is made only to that version.")],
            ResponseHeaders = [s_etag],
        },
        [nameof(DeleteAccount)] = new()
        {
            Success = (204, null),
            Problems = ["401 invalid_credentials", "409 state_conflict", "429 sign_in_delayed", "503 busy"],
            Examples = [("password", new DeleteAccountRequest(Password))],
        },
        [nameof(ChangeEmail)] = new()
        {
            Success = (202, null),
            Problems = ["401 invalid_credentials", "429 sign_in_delayed", "503 busy"],
            Examples = [("new address", new ChangeEmailRequest("ada@example.org", Password))],
        },
        [nameof(ChangePassword)] = new()
        {
            Success = (204, null),
            Problems = ["400 password_too_weak", "401 invalid_credentials", "429 sign_in_delayed", "503 busy"],
            Examples = [("passwords", new ChangePasswordRequest(Password, "another sentence nobody types"))],
        },
        [nameof(GetAvatar)] = new()
        {
            Success = (200, null),
            SuccessTypes = s_pictures,
            Problems = ["404 not_found"],
            RequestHeaders = [("If-None-Match", "The ETag of a picture that is known: then 304.")],
            ResponseHeaders = [("ETag", "The version of the picture, for If-None-Match.")],
        },
        [nameof(PutAvatar)] = new()
        {
            Success = (204, null),
            RequestTypes = s_pictures,
            Problems = ["400 validation_failed", "413 payload_too_large"],
            ResponseHeaders = [("ETag", "The version of the picture.")],
        },
        [nameof(DeleteAvatar)] = new(),
        [nameof(ListSessions)] = new(),
        [nameof(EndOtherSessions)] = new(),
        [nameof(EndSession)] = new()
        {
            Success = (204, null),
            Problems = ["404 not_found"],
        },
        [nameof(SearchAccounts)] = new()
        {
            Success = (200, typeof(AccountsFound)),
            Problems = ["400 validation_failed"],
        },
        [nameof(ReadAccount)] = new()
        {
            Success = (200, typeof(AccountForAdmins)),
            Problems = ["404 not_found"],
        },
        [nameof(DisableAccount)] = new()
        {
            Success = (204, null),
            Problems = ["404 not_found", "409 own_account", "409 state_conflict"],
            Examples = [("reason", new DisableAccountRequest("compromised"))],
        },
        [nameof(EnableAccount)] = new()
        {
            Success = (204, null),
            Problems = ["404 not_found", "409 state_conflict"],
        },
        [nameof(EndAccountSessions)] = new()
        {
            Success = (204, null),
            Problems = ["404 not_found"],
        },
        [nameof(SignInObstacles)] = new()
        {
            Success = (200, typeof(SignInReport)),
            Problems = ["404 not_found"],
        },
        ["SignInObstaclesOfAddress"] = new()
        {
            Success = (200, typeof(SignInReport)),
            Problems = ["400 validation_failed"],
        },
        [nameof(SearchMails)] = new()
        {
            Success = (200, typeof(MailsFound)),
            Problems = ["400 validation_failed"],
        },
        [nameof(ReadMail)] = new()
        {
            Success = (200, typeof(MailForAdmins)),
            Problems = ["404 not_found"],
        },
        [nameof(RequeueMail)] = new()
        {
            Success = (202, typeof(MailRequeued)),
            Problems = ["404 not_found", "409 newer_mail_pending", "409 state_conflict"],
        },
        [nameof(CancelMail)] = new()
        {
            Success = (204, null),
            Problems = ["404 not_found", "409 state_conflict"],
        },
        [nameof(SearchAudit)] = new()
        {
            Success = (200, typeof(AuditFound)),
            Problems = ["400 validation_failed"],
        },
        [nameof(ReadCleanup)] = new(),
        [nameof(StartCleanup)] = new()
        {
            Success = (202, typeof(CleanupStarted)),
        },
    }.ToFrozenDictionary();

    /// <summary>The members that a body must have; the others may be left out.</summary>
    public static readonly FrozenDictionary<Type, string[]> RequiredMembers = new Dictionary<Type, string[]>
    {
        [typeof(RegisterRequest)] = ["email", "password", "firstName", "lastName"],
        [typeof(VerifyEmailRequest)] = [],
        [typeof(ResendVerificationRequest)] = ["email"],
        [typeof(LoginRequest)] = ["email", "password"],
        [typeof(RefreshRequest)] = ["refreshToken"],
        [typeof(LogoutRequest)] = [],
        [typeof(ForgotPasswordRequest)] = ["email"],
        [typeof(ResetPasswordRequest)] = ["token", "password"],
        [typeof(ConfirmEmailChangeRequest)] = ["token", "password"],
        [typeof(UndoEmailChangeRequest)] = ["token", "password"],
        [typeof(UpdateAccountRequest)] = [],
        [typeof(DeleteAccountRequest)] = ["password"],
        [typeof(ChangeEmailRequest)] = ["email", "password"],
        [typeof(ChangePasswordRequest)] = ["currentPassword", "newPassword"],
        [typeof(DisableAccountRequest)] = ["reason"],
        [typeof(VendorBody)] = ["businessName", "category"],
    }.ToFrozenDictionary();
}
