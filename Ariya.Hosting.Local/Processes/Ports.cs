using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Ariya.Hosting.Local.Processes;

/// <summary>
/// Ports for servers that cannot be asked to pick one themselves. Another process may still take a picked port before the server
/// binds it: whoever starts the server tries again with the next.
/// </summary>
internal static class Ports
{
    // Below the range from which systems take the local ports of outgoing connections.
    private const int First = 20000;
    private const int Last = 29999;

    private static readonly HashSet<int> s_picked = [];
    private static readonly Lock s_lock = new();

    public static int Pick()
    {
        lock (s_lock)
        {
            for (var attempt = 0; attempt < 2000; attempt++)
            {
                var port = RandomNumberGenerator.GetInt32(First, Last + 1);
                if (!s_picked.Contains(port) && IsFree(port))
                {
                    s_picked.Add(port);
                    return port;
                }
            }
        }

        throw new InvalidOperationException($"No free port was found between {First} and {Last}.");
    }

    /// <summary>Whether both loopback addresses can be bound: `localhost` means both.</summary>
    public static bool IsFree(int port) =>
        CanListen(IPAddress.Loopback, port) && (!Socket.OSSupportsIPv6 || CanListen(IPAddress.IPv6Loopback, port));

    private static bool CanListen(IPAddress address, int port)
    {
        using var listener = new TcpListener(address, port);
        try
        {
            listener.Start();
            return true;
        }
        catch (SocketException exception)
        {
            return exception.SocketErrorCode == SocketError.AddressNotAvailable;
        }
    }
}
