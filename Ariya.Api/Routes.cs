using Ariya.Api.Accounts;
using Ariya.Api.Auth;
using Ariya.Api.Pages;

namespace Ariya.Api;

/// <summary>Every endpoint of the product: its path, its file and who may call it. A row without a mark needs a signed-in caller.</summary>
internal static class Routes
{
    public static void MapRoutes(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("/api/v1").RequireAuthorization();

        var auth = api.MapGroup("/auth").WithTags("Auth");
        auth.MapPost("/register", Register.HandleAsync).WithName(nameof(Register)).AllowAnonymous();
        auth.MapPost("/verify-email", VerifyEmail.HandleAsync).WithName(nameof(VerifyEmail)).AllowAnonymous();
        auth.MapPost("/login", Login.HandleAsync).WithName(nameof(Login)).AllowAnonymous();

        var account = api.MapGroup("/account").WithTags("Account");
        account.MapGet("", GetAccount.Handle).WithName(nameof(GetAccount));

        // Pages that mailed links open: a GET shows, a POST acts.
        var pages = app.MapGroup("").ExcludeFromDescription().AllowAnonymous();
        pages.MapGet("/verify-email", VerifyEmailPage.Show).WithName(nameof(VerifyEmailPage));
        pages.MapPost("/verify-email", VerifyEmailPage.ActAsync).WithName("VerifyEmailPageAct").DisableAntiforgery();
        pages.MapGet("/pages.css", Page.Stylesheet).WithName("PagesStylesheet");
    }
}
