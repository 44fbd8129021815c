using Ariya.Api.Auth;
using Ariya.Api.Http;

namespace Ariya.Api.Pages;

/// <summary>
/// <c>/confirm-email-change?token=…</c>: a GET shows which account would get this address and changes nothing, because mail scanners open
/// links; the button posts.
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

        var (judged, from, to) = await confirm.LookAsync(token, cancellationToken);
        return judged == EmailChangeResult.Done
            ? Page.Render("ConfirmEmailChange.html", values: [("token", token), ("from", from), ("to", to)])
            : EmailChangePages.Refusal(EmailChangePages.NameOf(judged));
    }

    public static async Task<IResult> ActAsync(HttpRequest request, ClientInfo client, ConfirmEmailChange confirm, CancellationToken cancellationToken)
    {
        return await Page.ReadOwnFormAsync(request, cancellationToken) is { } form
            ? Page.SeeOther($"{Path}?result={EmailChangePages.NameOf(await confirm.ConfirmAsync(form["token"].ToString(), client, cancellationToken))}")
            : EmailChangePages.Refusal("invalid");
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
