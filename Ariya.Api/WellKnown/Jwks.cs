using Ariya.Api.Sessions;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.IdentityModel.Tokens;

namespace Ariya.Api.WellKnown;

/// <summary>A set of public keys (RFC 7517).</summary>
/// <param name="Keys">The keys whose tokens may be alive.</param>
public sealed record JwksResponse(IReadOnlyList<JwkBody> Keys);

/// <summary>A P-256 key that signs access tokens.</summary>
/// <param name="Kty">Always <c>EC</c>.</param>
/// <param name="Crv">Always <c>P-256</c>.</param>
/// <param name="X">The point, base64url.</param>
/// <param name="Y">The point, base64url.</param>
/// <param name="Kid">Stands in the header of a token.</param>
/// <param name="Alg">Always <c>ES256</c>.</param>
/// <param name="Use">Always <c>sig</c>.</param>
public sealed record JwkBody(string Kty, string Crv, string X, string Y, string Kid, string Alg, string Use);

internal static class Jwks
{
    /// <summary>The keys to verify access tokens with. A new key is published at least 15 minutes before it signs.</summary>
    public static async Task<Ok<JwksResponse>> HandleAsync(SigningKeyRing keys, HttpContext http, CancellationToken cancellationToken)
    {
        http.Response.Headers.CacheControl = "public, max-age=300";
        return TypedResults.Ok(new JwksResponse([.. (await keys.VerifiersAsync(null, cancellationToken)).Select(Body)]));
    }

    private static JwkBody Body(ECDsaSecurityKey key)
    {
        var point = key.ECDsa.ExportParameters(includePrivateParameters: false).Q;
        return new JwkBody("EC", "P-256", Base64UrlEncoder.Encode(point.X), Base64UrlEncoder.Encode(point.Y), key.KeyId, "ES256", "sig");
    }
}
