using Ariya.Api.Http;
using Ariya.Api.Problems;
using Ariya.Data.Audit;
using Ariya.Data.Outbox;

namespace Ariya.Api.Auth;

/// <summary>A request for the verification mail again.</summary>
/// <param name="Email">The registered address.</param>
public sealed record ResendVerificationRequest(string? Email);

internal static class ResendVerification
{
    private static readonly TimeSpan s_deliverWithin = TimeSpan.FromHours(24);

    /// <summary>202 for any address. Links of earlier mails stay good until one is used.</summary>
    public static async Task<IResult> HandleAsync(
        ResendVerificationRequest request, ClientInfo client, Admission admission, MailRequests mails, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        if (errors.Email("email", request.Email) is not { } email)
        {
            return Problem.Validation(errors);
        }

        return await admission.RunAsync(email.Canonical, request, async () =>
        {
            await mails.RequestAsync(
                MailKinds.VerificationAgain, s_deliverWithin, AuditKinds.VerificationRequested, email, client, cancellationToken);
            return TypedResults.Accepted((string?)null);
        }, cancellationToken);
    }
}
