using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;

namespace Ariya.Api.Auth;

/// <summary>Takes an account back whose address somebody else changed.</summary>
/// <param name="Token">From the link that was mailed to the old address.</param>
/// <param name="Password">15 to 256 characters: whoever changed the address knows the one in use.</param>
public sealed record UndoEmailChangeRequest(string? Token, string? Password);

internal static class UndoEmailChange
{
    public static async Task<IResult> HandleAsync(
        UndoEmailChangeRequest request, ClientInfo client, Admission admission, EmailChangeUndo undo, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        errors.Required("token", request.Token);
        var password = errors.NewPassword("password", request.Password);
        if (errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(
            request.Token!, request, async () => Answer(await undo.UndoAsync(request.Token, password, client, cancellationToken)), cancellationToken);
    }

    private static IResult Answer((EmailChangeResult Result, string? Reason) outcome) => outcome.Result switch
    {
        EmailChangeResult.Done => TypedResults.NoContent(),
        EmailChangeResult.Expired => Problem.TokenExpired(),
        EmailChangeResult.Used => Problem.TokenUsed(),
        EmailChangeResult.Taken => Problem.EmailTaken(),
        EmailChangeResult.TooWeak => Problem.PasswordTooWeak("password", outcome.Reason!),
        EmailChangeResult.Busy => Problem.Busy(),
        EmailChangeResult.Invalid => Problem.TokenInvalid(),
    };
}
