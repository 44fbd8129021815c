using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;

namespace Ariya.Api.Auth;

/// <summary>Sets a new password.</summary>
/// <param name="Token">From the mailed link.</param>
/// <param name="Password">15 to 256 characters.</param>
public sealed record ResetPasswordRequest(string? Token, string? Password);

internal static class ResetPassword
{
    public static async Task<IResult> HandleAsync(
        ResetPasswordRequest request, ClientInfo client, Admission admission, PasswordReset reset, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        errors.Required("token", request.Token);
        var password = errors.NewPassword("password", request.Password);
        if (errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(request.Token!, request, () => SetAsync(request.Token, password, client, reset, cancellationToken), cancellationToken);
    }

    private static async Task<IResult> SetAsync(
        string? token, string password, ClientInfo client, PasswordReset reset, CancellationToken cancellationToken)
    {
        var outcome = await reset.ResetAsync(token, password, client, cancellationToken);
        return outcome.Result switch
        {
            ResetResult.Done => TypedResults.NoContent(),
            ResetResult.Expired => Problem.TokenExpired(),
            ResetResult.Used => Problem.TokenUsed(),
            ResetResult.TooWeak => Problem.PasswordTooWeak("password", outcome.Reason!),
            ResetResult.Busy => Problem.Busy(),
            ResetResult.Invalid => Problem.TokenInvalid(),
        };
    }
}
