using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Passwords;

namespace Ariya.Api.Pages;

/// <summary><c>/reset-password?token=…</c>: shows for which address a password can be set, and whether the link still works; the form posts.</summary>
internal static class ResetPasswordPage
{
    private const string Path = "/reset-password";

    public static async Task<IResult> ShowAsync(string? token, string? result, PasswordReset reset, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            return result switch
            {
                "done" => Page.Render("ResetPasswordDone.html"),
                "expired" => Page.Render("ResetPasswordExpired.html", StatusCodes.Status400BadRequest),
                "used" => Page.Render("ResetPasswordUsed.html", StatusCodes.Status400BadRequest),
                _ => Page.Render("ResetPasswordInvalid.html", StatusCodes.Status400BadRequest),
            };
        }

        var (judged, email) = await reset.LookAsync(token, cancellationToken);
        return judged switch
        {
            ResetResult.Done => Form(token, email, ""),
            ResetResult.Expired => Page.Render("ResetPasswordExpired.html", StatusCodes.Status400BadRequest),
            ResetResult.Used => Page.Render("ResetPasswordUsed.html", StatusCodes.Status400BadRequest),
            _ => Page.Render("ResetPasswordInvalid.html", StatusCodes.Status400BadRequest),
        };
    }

    public static async Task<IResult> ActAsync(HttpRequest request, ClientInfo client, PasswordReset reset, CancellationToken cancellationToken)
    {
        if (await Page.ReadOwnFormAsync(request, cancellationToken) is not { } form)
        {
            return Page.Render("ResetPasswordInvalid.html", StatusCodes.Status400BadRequest);
        }

        var token = form["token"].ToString();
        var errors = new FieldErrors();
        var password = errors.NewPassword("password", form["password"].ToString());
        var outcome = errors.Any
            ? new ResetOutcome(ResetResult.TooWeak, errors.ByField["password"][0])
            : await reset.ResetAsync(token, password, client, cancellationToken);
        return outcome.Result switch
        {
            ResetResult.Done => Page.SeeOther($"{Path}?result=done"),
            ResetResult.Expired => Page.SeeOther($"{Path}?result=expired"),
            ResetResult.Used => Page.SeeOther($"{Path}?result=used"),
            ResetResult.TooWeak => await AgainAsync(token, outcome.Reason!, reset, cancellationToken),
            ResetResult.Busy => Page.Render("Busy.html", StatusCodes.Status503ServiceUnavailable),
            ResetResult.Invalid => Page.SeeOther($"{Path}?result=invalid"),
        };
    }

    private static async Task<IResult> AgainAsync(string token, string reason, PasswordReset reset, CancellationToken cancellationToken)
    {
        var (judged, email) = await reset.LookAsync(token, cancellationToken);
        return judged == ResetResult.Done ? Form(token, email, reason, StatusCodes.Status400BadRequest) : Page.SeeOther($"{Path}?result=invalid");
    }

    private static IResult Form(string token, string email, string message, int status = StatusCodes.Status200OK) =>
        Page.Render("ResetPassword.html", status, ("token", token), ("email", email), ("message", message));
}
