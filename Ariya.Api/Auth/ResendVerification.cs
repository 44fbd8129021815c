using Ariya.Api.Http;
using Ariya.Api.Outbox;
using Ariya.Api.Problems;
using Ariya.Data;
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
        ResendVerificationRequest request, ClientInfo client, AriyaDbContext db, AddressKeys addressKeys, OutboxBell bell, CancellationToken cancellationToken)
    {
        var errors = new FieldErrors();
        if (errors.Email("email", request.Email) is not { } email)
        {
            return Problem.Validation(errors);
        }

        await db.RequestMailAsync(
            MailKinds.VerificationAgain, s_deliverWithin, AuditKinds.VerificationRequested, email, addressKeys.Of(email), client, cancellationToken);
        bell.Ring();
        return TypedResults.Accepted((string?)null);
    }
}
