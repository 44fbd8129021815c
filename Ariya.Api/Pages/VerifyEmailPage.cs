using System.Globalization;
using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Limits;
using Ariya.Api.Passwords;

namespace Ariya.Api.Pages;

/// <summary>
/// <c>/verify-email?token=…</c>: a GET shows a button and changes nothing, because mail scanners open links; the button posts
/// and is answered with a redirect to an address without the token.
/// </summary>
internal static class VerifyEmailPage
{
    private const string Path = "/verify-email";

    public static async Task<IResult> ShowAsync(string? token, string? result, EmailVerification verification, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            return result switch
            {
                "verified" => Page.Render("VerifyEmailDone.html"),
                "already-verified" => Page.Render("VerifyEmailAlready.html"),
                "rejected" => Page.Render("VerifyEmailRejected.html"),
                "too-late" => Page.Render("VerifyEmailTooLate.html", StatusCodes.Status400BadRequest),
                "expired" => Page.Render("VerifyEmailExpired.html", StatusCodes.Status400BadRequest),
                _ => Page.Render("VerifyEmailInvalid.html", StatusCodes.Status400BadRequest),
            };
        }

        var look = await verification.LookAsync(token, cancellationToken);
        return look.Result switch
        {
            VerificationResult.Verified => Page.Render("VerifyEmail.html", values:
            [
                ("token", token), ("email", look.MaskedEmail), ("name", look.Name), ("network", look.Network),
                ("when", look.RequestedAt.UtcDateTime.ToString("d MMMM yyyy, HH:mm 'UTC'", CultureInfo.InvariantCulture)),
            ]),
            VerificationResult.PasswordRequired => Page.Render("VerifyEmailPassword.html", values: [("token", token), ("message", "")]),
            VerificationResult.AlreadyVerified => Page.Render("VerifyEmailAlready.html"),
            VerificationResult.Expired => Page.Render("VerifyEmailExpired.html", StatusCodes.Status400BadRequest),
            _ => Page.Render("VerifyEmailInvalid.html", StatusCodes.Status400BadRequest),
        };
    }

    public static async Task<IResult> ActAsync(
        HttpRequest request, ClientInfo client, EmailVerification verification, CancellationToken cancellationToken)
    {
        if (await Page.ReadOwnFormAsync(request, cancellationToken) is not { } form)
        {
            return Page.Render("VerifyEmailInvalid.html", StatusCodes.Status400BadRequest);
        }

        var token = form["token"].ToString();
        if (form["action"] == "reject")
        {
            return SeeOther(await verification.RejectAsync(token, client, cancellationToken) ? "rejected" : "too-late");
        }

        var errors = new FieldErrors();
        var password = form["password"] is [{ Length: > 0 } typed] ? errors.PresentedPassword("password", typed) : null;
        if (errors.Any)
        {
            return Page.Render("VerifyEmailPassword.html", StatusCodes.Status400BadRequest, ("token", token), ("message", errors.ByField["password"][0]));
        }

        async Task<IResult> ExecuteAsync() => Answer(await verification.VerifyAsync(token, password, client, cancellationToken), token);
        // A page has no limit but where it takes guesses, each of which costs a hash.
        return password is null
            ? await ExecuteAsync()
            : await Admission.LimitAsync(RequestLimits.Of(request.HttpContext, LimitClass.Auth), request.HttpContext, token, ExecuteAsync,
                _ => Page.Render("Busy.html", StatusCodes.Status429TooManyRequests));
    }

    private static IResult Answer(VerificationResult result, string token)
    {
        return result switch
        {
            VerificationResult.Verified => SeeOther("verified"),
            VerificationResult.AlreadyVerified => SeeOther("already-verified"),
            VerificationResult.Expired => SeeOther("expired"),
            VerificationResult.PasswordRequired => Page.Render("VerifyEmailPassword.html", values: [("token", token), ("message", "")]),
            VerificationResult.WrongPassword => Page.Render("VerifyEmailPassword.html", StatusCodes.Status401Unauthorized,
                ("token", token), ("message", "That is not the password of this registration.")),
            VerificationResult.Busy => Page.Render("Busy.html", StatusCodes.Status503ServiceUnavailable),
            VerificationResult.Invalid => SeeOther("invalid"),
        };
    }

    private static IResult SeeOther(string result) => Page.SeeOther($"{Path}?result={result}");
}
