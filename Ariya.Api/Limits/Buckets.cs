using Ariya.Api.Http;
using Ariya.Data.Keys;
using Microsoft.Extensions.Options;

namespace Ariya.Api.Limits;

/// <summary>Something that is counted, and how much of it is admitted.</summary>
/// <param name="Policy">Its name in headers and metrics.</param>
/// <param name="Key">Where it is counted: tells neither an address nor a network.</param>
/// <param name="Permits">Admitted in any span of the window's length.</param>
/// <param name="Window">To the microsecond.</param>
/// <param name="IsShown">
/// Whether callers are told what is left: only of what they alone, or people in their own network, can have used. Of an address that
/// anybody may name, the number would tell what others did.
/// </param>
/// <param name="Counts">Which outcomes of a request use it up.</param>
internal sealed record Bucket(string Policy, string Key, int Permits, TimeSpan Window, bool IsShown, Counted Counts);

internal enum Counted
{
    /// <summary>Every request.</summary>
    Always,

    /// <summary>Failures: a success gives its own permit back.</summary>
    Failures,

    /// <summary>Tries until one succeeds: a success gives all of them back.</summary>
    TriesUntilSuccess,
}

/// <summary>Which buckets a request draws from: by its route's class and template, the client's network and whom it is about.</summary>
internal sealed class Buckets(SecretKeys secrets, IOptions<RateLimitOptions> options)
{
    // Requests with an Idempotency-Key that one instance looks up for one network in a minute: a repeat draws from no other limit.
    private const int LookUpPermits = 300;
    private static readonly TimeSpan s_lookUpWindow = TimeSpan.FromMinutes(1);

    private readonly byte[] _key = secrets.Current("rate-limits");
    private readonly RateLimitOptions _options = options.Value;

    /// <param name="limits">The route's class.</param>
    /// <param name="route">The route's template.</param>
    /// <param name="client">Who calls.</param>
    /// <param name="subject">Account, address or token that the request is about; null when the request did not get that far.</param>
    public IReadOnlyList<Bucket> Of(LimitClass limits, string route, ClientInfo client, string? subject)
    {
        List<Bucket> buckets = limits switch
        {
            LimitClass.Auth =>
            [
                .. subject is null
                    ? Array.Empty<Bucket>()
                    : [Bucket("auth", _options.AuthPermits, _options.AuthWindow, true, Counted.TriesUntilSuccess, route, client.Host, subject),
                       // Who succeeds every time fills tables and mailboxes all the same.
                       Bucket("auth-total", _options.AuthTotalPermits, _options.AuthWindow, true, Counted.Always, route, client.Host, subject)],
                Bucket("network", _options.NetworkPermits, _options.NetworkWindow, true, Counted.Failures, route, client.Host),
                Bucket("network-day", _options.NetworkDayPermits, _options.NetworkDayWindow, true, Counted.Failures, route, client.Host),
                Bucket("wide-network", Wide(_options.NetworkPermits), _options.NetworkWindow, false, Counted.Failures, route, client.Network),
                Bucket("wide-network-day", Wide(_options.NetworkDayPermits), _options.NetworkDayWindow, false, Counted.Failures, route, client.Network),
            ],
            LimitClass.Mail =>
            [
                Bucket("mail", _options.MailPermits, _options.MailWindow, true, Counted.Always, route, client.Host),
                .. subject is null
                    ? Array.Empty<Bucket>()
                    : [Bucket("address", _options.AddressPermits, _options.AddressWindow, false, Counted.Always, route, subject)],
            ],
            LimitClass.Refresh => [Bucket("refresh", _options.RefreshPermits, _options.RefreshWindow, true, Counted.Always, route, client.Host)],
            LimitClass.Api => [Bucket("api", _options.ApiPermits, _options.ApiWindow, true, Counted.Always, route, subject ?? client.Host)],
            LimitClass.Admin => [Bucket("admin", _options.AdminPermits, _options.AdminWindow, true, Counted.Always, route, subject ?? client.Host)],
            LimitClass.Upload => [Bucket("upload", _options.UploadPermits, _options.UploadWindow, true, Counted.Always, route, subject ?? client.Host)],
        };
        buckets.RemoveAll(bucket => bucket.Permits == 0);
        return buckets;
    }

    /// <summary>Counted in this process alone, before anything is asked of a server.</summary>
    public Bucket LookUps(ClientInfo client) => Bucket("repeats", LookUpPermits, s_lookUpWindow, true, Counted.Always, client.Host);

    private int Wide(int permits) => (int)Math.Min(int.MaxValue, (long)permits * _options.WideNetworkFactor);

    // One that is off is left out by the caller, and its key not made.
    private Bucket Bucket(string policy, int permits, TimeSpan window, bool isShown, Counted counts, params IEnumerable<string> of) =>
        new(policy, permits == 0 ? "" : $"ariya:limit:{FieldMac.Name(_key, [policy, .. of])}", permits, window, isShown, counts);
}
