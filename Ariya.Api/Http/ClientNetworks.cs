using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.HttpOverrides;

namespace Ariya.Api.Http;

/// <summary>Who calls, as it may be kept: a network prefix instead of an address, a shortened user agent.</summary>
internal sealed record ClientInfo(string Network, string UserAgent)
{
    private const int MaxUserAgentLength = 200;

    public static ValueTask<ClientInfo> BindAsync(HttpContext context)
    {
        var agent = context.Request.Headers.UserAgent.ToString();
        // By code points: half a character cannot be stored.
        var printable = string.Concat(agent.EnumerateRunes().Where(rune => !Rune.IsControl(rune)).Take(MaxUserAgentLength));
        return ValueTask.FromResult(new ClientInfo(Prefix(context.Connection.RemoteIpAddress), printable));
    }

    /// <summary>/24 of an IPv4 address, /48 of an IPv6 one; a mapped IPv4 address is an IPv4 address.</summary>
    private static string Prefix(IPAddress? address)
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
        bytes.AsSpan(isV4 ? 3 : 6).Clear();
        return $"{new IPAddress(bytes)}/{(isV4 ? 24 : 48)}";
    }
}

internal static class ClientNetworks
{
    /// <summary>
    /// Only the proxies in <c>Proxies:Networks</c> (CIDR, comma separated) may name the client's address; without that
    /// setting nobody may. Host and scheme are never taken from a header: links come from APP_URL.
    /// </summary>
    public static void AddClientNetworks(this IHostApplicationBuilder builder)
    {
        var networks = (builder.Configuration["Proxies:Networks"] ?? "")
            .Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        builder.Services.Configure<ForwardedHeadersOptions>(options =>
        {
            options.ForwardedHeaders = networks.Length > 0 ? ForwardedHeaders.XForwardedFor : ForwardedHeaders.None;
            options.KnownProxies.Clear();
            options.KnownIPNetworks.Clear();
            foreach (var network in networks)
            {
                options.KnownIPNetworks.Add(System.Net.IPNetwork.Parse(network));
            }
        });
    }
}
