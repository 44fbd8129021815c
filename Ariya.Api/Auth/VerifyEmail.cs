using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;

namespace Ariya.Api.Auth;

/// <summary>Proves a mailbox.</summary>
/// <param name="Token">From the mailed link.</param>
/// <param name="Password">Only after <c>password_required</c>: the password chosen at this registration.</param>
public sealed record VerifyEmailRequest(string? Token, string? Password);

/// <summary>The outcome.</summary>
/// <param name="Status"><c>verified</c>, or <c>already_verified</c> when a link of this address was used before.</param>
public sealed record VerifyEmailResponse(string Status);

internal static class VerifyEmail
{
    public static async Task<IResult> HandleAsync(
        VerifyEmailRequest request, ClientInfo client, EmailVerification verification, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        errors.Required("token", request.Token);
        var password = request.Password is null ? null : errors.PresentedPassword("password", request.Password);
        if (errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await verification.VerifyAsync(request.Token, password, client, cancellationToken) switch
        {
            VerificationResult.Verified => TypedResults.Ok(new VerifyEmailResponse("verified")),
            VerificationResult.AlreadyVerified => TypedResults.Ok(new VerifyEmailResponse("already_verified")),
            VerificationResult.Expired => Problem.TokenExpired(),
            VerificationResult.PasswordRequired => Problem.PasswordRequired(),
            VerificationResult.WrongPassword => Problem.InvalidCredentials(),
            VerificationResult.Busy => Problem.Busy(),
            VerificationResult.Invalid => Problem.TokenInvalid(),
        };
    }
}
