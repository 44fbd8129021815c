using Ariya.Api.Auth;
using Ariya.Api.Http;
using Ariya.Api.Passwords;

namespace Ariya.Api.Pages;

/// <summary><c>/undo-email-change?token=…</c>: shows which address the account would have again; the form posts a new password with it.</summary>
internal static class UndoEmailChangePage
{
    private const string Path = "/undo-email-change";

    public static async Task<IResult> ShowAsync(string? token, string? result, EmailChangeUndo undo, CancellationToken cancellationToken)
    {
        if (token is null)
        {
            return result == "done" ? Page.Render("UndoEmailChangeDone.html") : EmailChangePages.Refusal(result);
        }

        return await FormAsync(token, "", StatusCodes.Status200OK, undo, cancellationToken);
    }

    public static async Task<IResult> ActAsync(HttpRequest request, ClientInfo client, EmailChangeUndo undo, CancellationToken cancellationToken)
    {
        if (await Page.ReadOwnFormAsync(request, cancellationToken) is not { } form)
        {
            return EmailChangePages.Refusal("invalid");
        }

        var token = form["token"].ToString();
        var errors = new FieldErrors();
        var password = errors.NewPassword("password", form["password"].ToString());
        var (result, reason) = errors.Any
            ? (EmailChangeResult.TooWeak, errors.ByField["password"][0])
            : await undo.UndoAsync(token, password, client, cancellationToken);
        return result switch
        {
            EmailChangeResult.TooWeak => await FormAsync(token, reason!, StatusCodes.Status400BadRequest, undo, cancellationToken),
            EmailChangeResult.Busy => Page.Render("Busy.html", StatusCodes.Status503ServiceUnavailable),
            _ => Page.SeeOther($"{Path}?result={EmailChangePages.NameOf(result)}"),
        };
    }

    private static async Task<IResult> FormAsync(string token, string message, int status, EmailChangeUndo undo, CancellationToken cancellationToken)
    {
        var (judged, email) = await undo.LookAsync(token, cancellationToken);
        return judged == EmailChangeResult.Done
            ? Page.Render("UndoEmailChange.html", status, ("token", token), ("email", email), ("message", message))
            : EmailChangePages.Refusal(EmailChangePages.NameOf(judged));
    }
}
