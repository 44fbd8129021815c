using System.Security.Cryptography;
using System.Text;
using Ariya.Data.Accounts;
using Ariya.Data.Keys;

namespace Ariya.Api.Http;

/// <summary>Names an address in counters and audit rows without holding it: HMAC-SHA256 under a key outside the database.</summary>
internal sealed class AddressKeys(SecretKeys secrets)
{
    private readonly byte[] _addressKey = secrets.Current("address");
    private readonly byte[] _fingerprintKey = secrets.Current("registration-fingerprint");

    public byte[] Of(EmailAddress email) => OfCanonical(email.Canonical);

    public byte[] OfCanonical(string address) => HMACSHA256.HashData(_addressKey, Encoding.UTF8.GetBytes(address));

    /// <summary>The address's counter of mistyped codes.</summary>
    public byte[] OfCodes(EmailAddress email) => HMACSHA256.HashData(_addressKey, Encoding.UTF8.GetBytes($"{email.Canonical}\ncodes"));

    /// <summary>The address seen from one network.</summary>
    public byte[] Of(EmailAddress email, string network) =>
        HMACSHA256.HashData(_addressKey, Encoding.UTF8.GetBytes($"{email.Canonical}\n{network}"));

    /// <summary>Equal for equal requests. Holds the password only under this key: as a plain hash it would undo the slow one.</summary>
    public byte[] Fingerprint(params IEnumerable<string?> fields) => FieldMac.Of(_fingerprintKey, fields);
}
