using System.Buffers.Binary;
using System.Buffers.Text;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Keys;

namespace Ariya.Api.Sessions;

/// <summary>A refresh token that carries a valid MAC: which session, which generation of it, and the session's nonce.</summary>
internal sealed record PresentedRefreshToken(Guid SessionId, long Generation, byte[] Nonce);

/// <summary>
/// Refresh tokens are derived, not stored: <c>v1.{sessionId}.{generation}.{base64url(nonce ‖ mac)}</c>. The MAC needs
/// JWT_REFRESH_SECRET and the nonce needs the database, so neither alone makes a token. It is checked before any SQL.
/// </summary>
internal sealed class RefreshTokens(SecretKeys secrets)
{
    public const int NonceLength = 16;
    private const int MacLength = 32;
    private const string Label = "refresh-token";

    // Made by whoever needs them first: a secret's keys are not there yet while the program starts.
    private readonly Lazy<List<byte[]>> _rotationKeys = new(() => [.. secrets.KeyIds.Select(id => secrets.Find(id, "refresh-rotation")!)]);
    private readonly Lazy<List<byte[]>> _keys = new(() => [.. secrets.KeyIds.Select(id => secrets.Find(id, Label)!)]);

    public string Create(Guid sessionId, long generation, ReadOnlySpan<byte> nonce)
    {
        Span<byte> proof = stackalloc byte[NonceLength + MacLength];
        nonce.CopyTo(proof);
        Mac(_keys.Value[0], sessionId, generation, nonce, proof[NonceLength..]);
        return string.Create(CultureInfo.InvariantCulture, $"v1.{sessionId:N}.{generation}.{Base64Url.EncodeToString(proof)}");
    }

    /// <summary>Null for anything this deployment did not make.</summary>
    public PresentedRefreshToken? Read(string? token)
    {
        if (token is null or { Length: > 200 } || token.Split('.') is not ["v1", var id, var number, var proofText]
            || !Guid.TryParseExact(id, "N", out var sessionId)
            || !long.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out var generation)
            || !Base64Url.IsValid(proofText, out var length) || length != NonceLength + MacLength)
        {
            return null;
        }

        var proof = Base64Url.DecodeFromChars(proofText);
        var nonce = proof[..NonceLength];
        Span<byte> expected = stackalloc byte[MacLength];
        foreach (var key in _keys.Value)
        {
            Mac(key, sessionId, generation, nonce, expected);
            if (CryptographicOperations.FixedTimeEquals(expected, proof.AsSpan(NonceLength)))
            {
                return new PresentedRefreshToken(sessionId, generation, nonce);
            }
        }

        return null;
    }

    /// <summary>
    /// What a session keeps of the Idempotency-Key of its last rotation: under the newest secret first, then as the ones before it would have
    /// kept it.
    /// </summary>
    public byte[][] RotationKeys(string idempotencyKey) =>
        [.. _rotationKeys.Value.Select(key => HMACSHA256.HashData(key, Encoding.UTF8.GetBytes(idempotencyKey)))];

    private static void Mac(byte[] key, Guid sessionId, long generation, ReadOnlySpan<byte> nonce, Span<byte> destination)
    {
        // Fixed widths: session id 16 bytes, generation 8, nonce 16.
        Span<byte> fields = stackalloc byte[16 + 8 + NonceLength];
        sessionId.TryWriteBytes(fields, bigEndian: true, out _);
        BinaryPrimitives.WriteInt64BigEndian(fields[16..], generation);
        nonce.CopyTo(fields[24..]);
        HMACSHA256.HashData(key, fields, destination);
    }
}
