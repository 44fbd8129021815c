using System.Text.Json;
using System.Text.Json.Serialization;
using Ariya.Api.Http;
using Ariya.Api.Redis;
using Ariya.Data.Keys;
using StackExchange.Redis;

namespace Ariya.Api.Accounts;

/// <summary>What may come from the cache of an account: only what is shown. Nothing in it decides anything.</summary>
internal sealed record Profile(string FirstName, string LastName, string? Locale, VendorBody? Vendor);

/// <summary>
/// Profiles in Redis, for an hour. One counts only with the version that PostgreSQL names at that moment, and an older one never
/// replaces a newer: what Redis lost, kept too long or was told late is not seen by anybody.
/// </summary>
internal sealed partial class ProfileCache(RedisCalls redis, SecretKeys secrets)
{
    private const string KeepScript =
        """
        local known = redis.pcall('HGET', KEYS[1], 'version')
        if type(known) == 'table' then
          redis.call('DEL', KEYS[1])
          known = false
        end
        if known and tonumber(known) >= tonumber(ARGV[1]) then
          return 0
        end
        redis.call('HSET', KEYS[1], 'version', ARGV[1], 'profile', ARGV[2])
        redis.call('PEXPIRE', KEYS[1], ARGV[3])
        return 1
        """;

    private static readonly TimeSpan s_lifetime = TimeSpan.FromHours(1);
    private readonly byte[] _key = secrets.Current("profile-cache");

    /// <summary>Whether it is worth asking.</summary>
    public bool IsThere => redis.IsAnswering;

    /// <summary>The profile of an account at a version; null when it is not here.</summary>
    public async Task<(int Version, Profile Profile)?> FindAsync(Guid accountId)
    {
        var key = KeyOf(accountId);
        var fields = (RedisValue[]?)await redis.CallAsync(database => database.ExecuteAsync("HMGET", key, "version", "profile"));
        if (fields is not [var field, { HasValue: true } json] || !field.TryParse(out int version))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize((byte[])json!, Format.Default.Profile) is { } profile ? (version, profile) : null;
        }
        catch (JsonException)
        {
            // Somebody else's value, or that of another version of this program: as if there were none.
            return null;
        }
    }

    /// <summary>Nobody waits for it.</summary>
    public void Keep(AccountBody account, int version)
    {
        var key = KeyOf(account.Id);
        var profile = JsonSerializer.SerializeToUtf8Bytes(
            new Profile(account.FirstName, account.LastName, account.Locale, account.Vendor), Format.Default.Profile);
        _ = redis.CallAsync(database => database.ScriptEvaluateAsync(KeepScript, [key], [version, profile, (long)s_lifetime.TotalMilliseconds]));
    }

    internal RedisKey KeyOf(Guid accountId) =>
        $"ariya:profile:{FieldMac.Name(_key, accountId.ToString())}";

    [JsonSerializable(typeof(Profile))]
    [JsonSourceGenerationOptions(JsonSerializerDefaults.Web, RespectNullableAnnotations = true, RespectRequiredConstructorParameters = true)]
    private sealed partial class Format : JsonSerializerContext;
}
