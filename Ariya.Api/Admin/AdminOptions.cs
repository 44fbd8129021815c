using System.Net;

namespace Ariya.Api.Admin;

/// <summary>Where operators may call from.</summary>
internal sealed class AdminOptions
{
    public const string Section = "Admin";

    /// <summary>Networks (CIDR, comma separated) from which the admin API is there; empty: from everywhere.</summary>
    public string Networks { get; set; } = "";

    /// <summary>Null when one of them is not a network.</summary>
    public IReadOnlyList<IPNetwork>? Parse()
    {
        var networks = new List<IPNetwork>();
        foreach (var text in Networks.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries))
        {
            if (!IPNetwork.TryParse(text, out var network))
            {
                return null;
            }

            networks.Add(network);
        }

        return networks;
    }
}
