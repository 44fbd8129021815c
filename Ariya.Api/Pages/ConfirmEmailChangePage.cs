using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Limits;
using Ariya.Api.Passwords;

namespace Ariya.Api.Pages;

/// <summary>
/// <c>/confirm-email-change?token=…</c>: a GET shows which account would get this address and changes nothing, because mail scanners open
/// links; the form posts the account's password with it.
/// </summary>
internal static class ConfirmEmailChangePage
{
    private const string Path = "/confirm-email-change";

    public static async Task<IResult> ShowAsync(string? token, string? result, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            return result == "done" ? Page.Render("ConfirmEmailChangeDone.html") : EmailChangePages.Refusal(result);
        }

        return await FormAsync(token, "", StatusCodes.Status200OK, confirm, cancellationToken);
    }

    public static async Task<IResult> ActAsync(HttpRequest request, ClientInfo client, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        if (await Page.ReadOwnFormAsync(request, cancellationToken) is not { } form)
        {
            return EmailChangePages.Refusal("invalid");
        }

        var token = form["token"].ToString();
        var errors = new FieldErrors();
        var password = errors.PresentedPassword("password", form["password"].ToString());
        if (errors.Any)
        {
            return await FormAsync(token, errors.ByField["password"][0], StatusCodes.Status400BadRequest, confirm, cancellationToken);
        }

        // A page has no limit but where it takes guesses, each of which costs a hash.
        return await Admission.LimitAsync(
            RequestLimits.Of(request.HttpContext, LimitClass.Auth), request.HttpContext, token, () => ExecuteAsync(token, password, client, confirm, cancellationToken),
            _ => Page.Render("Busy.html", StatusCodes.Status429TooManyRequests));
    }

    private static async Task<IResult> ExecuteAsync(
        string token, string password, ClientInfo client, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        var (result, refusal) = await confirm.ConfirmAsync(token, password, client, cancellationToken);
        return (refusal as IStatusCodeHttpResult)?.StatusCode switch
        {
            null => Page.SeeOther($"{Path}?result={EmailChangePages.NameOf(result)}"),
            StatusCodes.Status401Unauthorized => await FormAsync(
                token, "That is not the password of the account.", StatusCodes.Status401Unauthorized, confirm, cancellationToken),
            { } status => Page.Render("Busy.html", status),
        };
    }

    private static async Task<IResult> FormAsync(string token, string message, int status, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        var (judged, from, to) = await confirm.LookAsync(token, cancellationToken);
        return judged == EmailChangeResult.Done
            ? Page.Render("ConfirmEmailChange.html", status, ("token", token), ("from", from), ("to", to), ("message", message))
            : EmailChangePages.Refusal(EmailChangePages.NameOf(judged));
    }
}

/// <summary>What both pages about a change of address say when it cannot be done.</summary>
internal static class EmailChangePages
{
    public static string NameOf(EmailChangeResult result) => result switch
    {
        EmailChangeResult.Done => "done",
        EmailChangeResult.Expired => "expired",
        EmailChangeResult.Used => "used",
        EmailChangeResult.Taken => "taken",
        _ => "invalid",
    };

    public static IResult Refusal(string? name) => Page.Render(
        name switch
        {
            "expired" => "EmailChangeExpired.html",
            "used" => "EmailChangeUsed.html",
            "taken" => "EmailChangeTaken.html",
            _ => "EmailChangeInvalid.html",
        },
        StatusCodes.Status400BadRequest);
}
