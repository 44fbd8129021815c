using System.Net;
using System.Net.Sockets;
using System.Text;
using Ariya.ServiceDefaults.Settings;
using Microsoft.AspNetCore.HttpOverrides;

namespace Ariya.Api.Http;

/// <summary>Who calls.</summary>
/// <param name="Host">The IPv4 address, or the /64 that one IPv6 subscriber has: for counting, never kept or logged.</param>
/// <param name="Network">As it may be kept: /24 of an IPv4 address, /48 of an IPv6 one.</param>
/// <param name="UserAgent">Shortened.</param>
internal sealed record ClientInfo(string Host, string Network, string UserAgent)
{
    private const int MaxUserAgentLength = 200;

    public static ValueTask<ClientInfo> BindAsync(HttpContext context) => ValueTask.FromResult(Of(context));

    public static ClientInfo Of(HttpContext context)
    {
        if (context.Features.Get<ClientInfo>() is { } known)
        {
            return known;
        }

        var agent = context.Request.Headers.UserAgent.ToString();
        // By code points: half a character cannot be stored.
        var printable = string.Concat(agent.EnumerateRunes().Where(rune => !Rune.IsControl(rune)).Take(MaxUserAgentLength));
        var address = context.Connection.RemoteIpAddress;
        var client = new ClientInfo(Prefix(address, 4, 8), Prefix(address, 3, 6), printable);
        context.Features.Set(client);
        return client;
    }

    /// <summary>The first bytes of an address; a mapped IPv4 address is an IPv4 address.</summary>
    private static string Prefix(IPAddress? address, int bytesOfV4, int bytesOfV6)
    {
        if (address is null)
        {
            return "unknown";
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        var isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        var bytes = address.GetAddressBytes();
        var kept = isV4 ? bytesOfV4 : bytesOfV6;
        bytes.AsSpan(kept).Clear();
        return $"{new IPAddress(bytes)}/{kept * 8}";
    }
}

internal static partial class ClientNetworks
{
    /// <summary>
    /// Only the proxies in <c>Proxies:Networks</c> (CIDR, comma separated) may name the client's address; without that
    /// setting nobody may. Host and scheme are never taken from a header: links come from APP_URL.
    /// </summary>
    public static void AddClientNetworks(this IHostApplicationBuilder builder)
    {
        var known = builder.ReadNetworks("Proxies:Networks");
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = known.Count > 0 ? ForwardedHeaders.XForwardedFor : ForwardedHeaders.None;
            // As many proxies as are known, from the last one back.
            options.ForwardLimit = null;
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            known.ForEach(options.KnownIPNetworks.Add);
        });
    }

    /// <summary>The networks of a setting (CIDR, comma separated); what is none is noted as wrong.</summary>
    public static List<System.Net.IPNetwork> ReadNetworks(this IHostApplicationBuilder builder, string setting)
    {
        var known = new List<System.Net.IPNetwork>();
        foreach (var text in (builder.Configuration[setting] ?? "").Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (System.Net.IPNetwork.TryParse(text, out var network))
            {
                known.Add(network);
            }
            else
            {
                builder.AddWrongSetting($"{setting.Replace(":", "__", StringComparison.Ordinal)}: '{text}' is no network such as 10.0.0.0/8.");
            }
        }

        return known;
    }

    /// <summary>Takes the client's address from the proxies that may name it, and says once when another one tries.</summary>
    public static void UseClientNetworks(this WebApplication app)
    {
        app.UseForwardedHeaders();
        var isTold = 0;
        app.Use((context, next) =>
        {
            // What is left of the header came from somebody who may not name addresses. A proxy in front is most often in a private network.
            if (context.Request.Headers.ContainsKey("X-Forwarded-For") && IsPrivate(context.Connection.RemoteIpAddress)
                && Interlocked.Exchange(ref isTold, 1) == 0)
            {
                Log.UnknownProxy(app.Logger);
            }

            return next(context);
        });
    }

    private static bool IsPrivate(IPAddress? address) => address is not null
        && (IPAddress.IsLoopback(address) || address.IsIPv6UniqueLocal
            || (address.IsIPv4MappedToIPv6 ? address.MapToIPv4() : address).GetAddressBytes() is [10, ..] or [172, >= 16 and < 32, ..] or [192, 168, ..]);

    private static partial class Log
    {
        [LoggerMessage(1, LogLevel.Warning,
            "A request from a private network names its client with X-Forwarded-For and is not believed: everybody behind that proxy is one "
            + "network to the limits. If the proxy is yours, name its network in Proxies__Networks")]
        public static partial void UnknownProxy(ILogger logger);
    }
}
