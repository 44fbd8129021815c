using Ariya.Api.Http;
using Ariya.Api.Passwords;
using Ariya.Api.Problems;

namespace Ariya.Api.Auth;

/// <summary>Proves a mailbox, with the token of the mailed link or with the address and the code beside the link.</summary>
/// <param name="Token">From the mailed link.</param>
/// <param name="Password">Only after <c>password_required</c>: the password chosen at this registration.</param>
/// <param name="Email">With a code: the registered address.</param>
/// <param name="Code">Six digits from the newest mail.</param>
public sealed record VerifyEmailRequest(string? Token, string? Password, string? Email, string? Code);

/// <summary>The outcome.</summary>
/// <param name="Status"><c>verified</c>, or <c>already_verified</c> when a link of this address was used before.</param>
public sealed record VerifyEmailResponse(string Status);

internal static class VerifyEmail
{
    public static async Task<IResult> HandleAsync(
        VerifyEmailRequest request, ClientInfo client, Admission admission, EmailVerification verification, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        var password = request.Password is null ? null : errors.PresentedPassword("password", request.Password);
        var isCode = request.Token is null && (request.Email is not null || request.Code is not null);
        var email = isCode ? errors.Email("email", request.Email) : null;
        errors.Required(isCode ? "code" : "token", isCode ? request.Code : request.Token);
        if (!isCode && (request.Email is not null || request.Code is not null))
        {
            errors.Add("token", "Send either the token or the address with its code.");
        }

        if (errors.Any)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(email?.Canonical ?? request.Token!, request, async () => Answer(isCode, isCode
            ? await verification.VerifyCodeAsync(email!, request.Code!, password, client, cancellationToken)
            : await verification.VerifyAsync(request.Token, password, client, cancellationToken)), cancellationToken);
    }

    private static IResult Answer(bool isCode, VerificationResult result)
    {
        return result switch
        {
            VerificationResult.Verified => TypedResults.Ok(new VerifyEmailResponse("verified")),
            VerificationResult.AlreadyVerified => TypedResults.Ok(new VerifyEmailResponse("already_verified")),
            VerificationResult.Expired => Problem.TokenExpired(),
            VerificationResult.PasswordRequired => Problem.PasswordRequired(),
            VerificationResult.WrongPassword => Problem.InvalidCredentials(),
            VerificationResult.Busy => Problem.Busy(),
            VerificationResult.Invalid => isCode ? Problem.CodeInvalid() : Problem.TokenInvalid(),
        };
    }
}
