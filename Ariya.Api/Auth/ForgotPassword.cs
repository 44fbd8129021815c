using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Auth;

/// <summary>A request for a mail with a link to set a new password.</summary>
/// <param name="Email">The account's address.</param>
public sealed record ForgotPasswordRequest(string? Email);

internal static class ForgotPassword
{
    private static readonly TimeSpan s_deliverWithin = TimeSpan.FromMinutes(60);

    /// <summary>202 for any address. The account, if there is one, is not touched until the link is used.</summary>
    public static async Task<IResult> HandleAsync(
        ForgotPasswordRequest request, ClientInfo client, Admission admission, MailRequests mails, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        if (errors.Email("email", request.Email) is not { } email)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(email.Canonical, request, async () =>
        {
            await mails.RequestAsync(MailKinds.PasswordReset, s_deliverWithin, AuditKinds.ResetRequested, email, client, cancellationToken);
            return TypedResults.Accepted((string?)null);
        }, cancellationToken);
    }
}
