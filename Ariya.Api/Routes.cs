using Ariya.Api.Accounts;
using Ariya.Api.Accounts.Avatars;
using Ariya.Api.Admin;
using Ariya.Api.Auth;
using Ariya.Api.Health;
using Ariya.Api.Http;
using Ariya.Api.Idempotency;
using Ariya.Api.Limits;
using Ariya.Api.OpenApi;
using Ariya.Api.Pages;
using Ariya.Api.WellKnown;
using Microsoft.AspNetCore.Mvc;

namespace Ariya.Api;

/// <summary>
/// Every endpoint of the product: its path, its file, who may call it, what limits it and whether a request may be repeated under an
/// Idempotency-Key. A row without a mark needs a signed-in caller and draws from the limit of the API.
/// </summary>
internal static class Routes
{
    public static void MapRoutes(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/v1").RequireCors(CrossOrigin.Policy).RequireAuthorization().Limit(LimitClass.Api).WithOperations();
        api.AddEndpointFilter(RequestTimes.AnswerInTimeAsync).AddEndpointFilter(Admission.LimitBodylessAsync);

        var auth = api.MapGroup("/auth").WithTags("Auth");
        auth.MapPost("/register", Register.HandleAsync).WithName(nameof(Register)).AllowAnonymous().Limit(LimitClass.Mail).Idempotent();
        auth.MapPost("/verify-email", VerifyEmail.HandleAsync).WithName(nameof(VerifyEmail)).AllowAnonymous().Limit(LimitClass.Auth).Idempotent();
        auth.MapPost("/resend-verification", ResendVerification.HandleAsync).WithName(nameof(ResendVerification)).AllowAnonymous().Limit(LimitClass.Mail).Idempotent();
        auth.MapPost("/login", Login.HandleAsync).WithName(nameof(Login)).AllowAnonymous().Limit(LimitClass.Auth);
        auth.MapPost("/refresh", Refresh.HandleAsync).WithName(nameof(Refresh)).AllowAnonymous().Limit(LimitClass.Refresh);
        auth.MapPost("/logout", Logout.HandleAsync).WithName(nameof(Logout)).AllowAnonymous().Limit(LimitClass.Refresh);
        auth.MapPost("/forgot-password", ForgotPassword.HandleAsync).WithName(nameof(ForgotPassword)).AllowAnonymous().Limit(LimitClass.Mail).Idempotent();
        auth.MapPost("/reset-password", ResetPassword.HandleAsync).WithName(nameof(ResetPassword)).AllowAnonymous().Limit(LimitClass.Auth).Idempotent();
        auth.MapPost("/confirm-email-change", ConfirmEmailChange.HandleAsync).WithName(nameof(ConfirmEmailChange)).AllowAnonymous().Limit(LimitClass.Auth).Idempotent();
        auth.MapPost("/undo-email-change", UndoEmailChange.HandleAsync).WithName(nameof(UndoEmailChange)).AllowAnonymous().Limit(LimitClass.Auth).Idempotent();

        var account = api.MapGroup("/account").WithTags("Account");
        account.MapGet("", GetAccount.Handle).WithName(nameof(GetAccount));
        account.MapPatch("", UpdateAccount.HandleAsync).WithName(nameof(UpdateAccount)).Idempotent();
        account.MapDelete("", DeleteAccount.HandleAsync).WithName(nameof(DeleteAccount)).Limit(LimitClass.Auth);
        account.MapPost("/email", ChangeEmail.HandleAsync).WithName(nameof(ChangeEmail)).Limit(LimitClass.Mail).Idempotent();
        account.MapPost("/password", ChangePassword.HandleAsync).WithName(nameof(ChangePassword)).Limit(LimitClass.Auth).Idempotent();
        account.MapGet("/avatar", GetAvatar.HandleAsync).WithName(nameof(GetAvatar));
        account.MapPut("/avatar", PutAvatar.HandleAsync).WithName(nameof(PutAvatar)).Limit(LimitClass.Upload).Idempotent()
            .WithMetadata(new RequestSizeLimitAttribute(PutAvatar.MaxBytes), new SlowBody());
        account.MapDelete("/avatar", DeleteAvatar.HandleAsync).WithName(nameof(DeleteAvatar));
        account.MapGet("/sessions", ListSessions.HandleAsync).WithName(nameof(ListSessions));
        account.MapDelete("/sessions", EndOtherSessions.HandleAsync).WithName(nameof(EndOtherSessions));
        account.MapDelete("/sessions/{id:guid}", EndSession.HandleAsync).WithName(nameof(EndSession));

        // For operators: AdminAccess.cs says who that is.
        var admin = api.MapGroup("/admin").WithTags("Admin").AdminsOnly().Limit(LimitClass.Admin);
        admin.MapGet("/accounts", SearchAccounts.HandleAsync).WithName(nameof(SearchAccounts));
        admin.MapGet("/accounts/{id:guid}", ReadAccount.HandleAsync).WithName(nameof(ReadAccount));
        admin.MapPost("/accounts/{id:guid}/disable", DisableAccount.HandleAsync).WithName(nameof(DisableAccount)).Idempotent();
        admin.MapPost("/accounts/{id:guid}/enable", EnableAccount.HandleAsync).WithName(nameof(EnableAccount)).Idempotent();
        admin.MapDelete("/accounts/{id:guid}/sessions", EndAccountSessions.HandleAsync).WithName(nameof(EndAccountSessions));
        admin.MapGet("/accounts/{id:guid}/sign-in-obstacles", SignInObstacles.OfAccountAsync).WithName(nameof(SignInObstacles));
        admin.MapGet("/sign-in-obstacles", SignInObstacles.OfAddressAsync).WithName("SignInObstaclesOfAddress");
        admin.MapGet("/mails", SearchMails.HandleAsync).WithName(nameof(SearchMails));
        admin.MapGet("/mails/{id:guid}", ReadMail.HandleAsync).WithName(nameof(ReadMail));
        admin.MapPost("/mails/{id:guid}/requeue", RequeueMail.HandleAsync).WithName(nameof(RequeueMail)).Idempotent();
        admin.MapPost("/mails/{id:guid}/cancel", CancelMail.HandleAsync).WithName(nameof(CancelMail)).Idempotent();
        admin.MapGet("/audit", SearchAudit.HandleAsync).WithName(nameof(SearchAudit));
        admin.MapGet("/cleanup", ReadCleanup.HandleAsync).WithName(nameof(ReadCleanup));
        admin.MapPost("/cleanup", StartCleanup.HandleAsync).WithName(nameof(StartCleanup)).Idempotent();

        app.MapGet("/api/health", GetHealth.HandleAsync).WithName(nameof(GetHealth)).WithTags("Health").AllowAnonymous()
            .Produces<HealthResponse>().Produces<HealthResponse>(StatusCodes.Status503ServiceUnavailable);
        app.MapGet("/.well-known/jwks.json", Jwks.HandleAsync).WithName(nameof(Jwks)).WithTags("Keys").AllowAnonymous()
            .AddEndpointFilter(RequestTimes.AnswerInTimeAsync);

        app.MapGet(ApiDocument.Path, ApiDocument.HandleAsync).WithName(nameof(ApiDocument)).ExcludeFromDescription().AllowAnonymous();

        // Pages that mailed links open: a GET shows, a POST acts.
        var pages = app.MapGroup("").ExcludeFromDescription().AllowAnonymous().AddEndpointFilter(RequestTimes.AnswerInTimeAsync);
        pages.MapGet("/verify-email", VerifyEmailPage.ShowAsync).WithName(nameof(VerifyEmailPage));
        pages.MapPost("/verify-email", VerifyEmailPage.ActAsync).WithName("VerifyEmailPageAct").DisableAntiforgery();
        pages.MapGet("/reset-password", ResetPasswordPage.ShowAsync).WithName(nameof(ResetPasswordPage));
        pages.MapPost("/reset-password", ResetPasswordPage.ActAsync).WithName("ResetPasswordPageAct").DisableAntiforgery();
        pages.MapGet("/confirm-email-change", ConfirmEmailChangePage.ShowAsync).WithName(nameof(ConfirmEmailChangePage));
        pages.MapPost("/confirm-email-change", ConfirmEmailChangePage.ActAsync).WithName("ConfirmEmailChangePageAct").DisableAntiforgery();
        pages.MapGet("/undo-email-change", UndoEmailChangePage.ShowAsync).WithName(nameof(UndoEmailChangePage));
        pages.MapPost("/undo-email-change", UndoEmailChangePage.ActAsync).WithName("UndoEmailChangePageAct").DisableAntiforgery();
        pages.MapGet("/pages.css", Page.Stylesheet).WithName("PagesStylesheet");
    }
}
